/**
 * Log-probabilities of all completions under the reference. Those of a frozen reference are
 * computed once, before the first step; training then uses the numbers and no second model. {@link
 * org.dpo4j.reference.ReferenceCache} stores them in files for later runs. A moving reference is a
 * second model in memory, whose weights follow the policy's.
 *
 * <p>Start with {@link org.dpo4j.reference.PrecomputedReference}.
 */
@Internal
@NullMarked
package org.dpo4j.reference;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
