/** Programs that use the library as any other project would. */
@org.jspecify.annotations.NullMarked
package org.dpo4j.examples;
