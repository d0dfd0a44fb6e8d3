/**
 * Where the log-probabilities of the frozen reference come from. They are computed once, before
 * step 0, while the model that gives them has not moved; afterwards they are numbers, which no
 * optimizer can reach.
 *
 * <p>Start with {@link org.dpo4j.reference.PrecomputedReference}.
 */
@NullMarked
package org.dpo4j.reference;

import org.jspecify.annotations.NullMarked;
