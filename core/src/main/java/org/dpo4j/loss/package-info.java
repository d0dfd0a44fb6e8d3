/** TODO loss. */
@org.jspecify.annotations.NullMarked
package org.dpo4j.loss;
