/** TODO torch. */
@org.jspecify.annotations.NullMarked
package org.dpo4j.torch;
