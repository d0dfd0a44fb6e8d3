/**
 * Where the log-probabilities of the reference come from. A frozen one's are computed once, before
 * step 0, while the model that gives them has not moved; afterwards they are numbers, which no
 * optimizer can reach. {@link org.dpo4j.reference.ReferenceCache} keeps them in files, so that
 * other runs need not ask again. A moving one is a model of its own, which follows the policy on
 * purpose.
 *
 * <p>Start with {@link org.dpo4j.reference.PrecomputedReference}.
 */
@NullMarked
package org.dpo4j.reference;

import org.jspecify.annotations.NullMarked;
