/** TODO train. */
@org.jspecify.annotations.NullMarked
package org.dpo4j.train;
