/** dpo4j. */
@org.jspecify.annotations.NullMarked
package org.dpo4j;
