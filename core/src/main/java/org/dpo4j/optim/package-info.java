/** TODO optim. */
@org.jspecify.annotations.NullMarked
package org.dpo4j.optim;
