/** TODO weights. */
@org.jspecify.annotations.NullMarked
package org.dpo4j.weights;
