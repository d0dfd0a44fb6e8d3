/**
 * Sizes of a model and token counts in, arithmetic, memory and seconds out: what a run will cost,
 * from numbers that are known before any weight is read, and from a short trial on the machine.
 *
 * <p>No checkpoint's weights are read here. Start with {@link org.dpo4j.plan.StepArithmetic}.
 */
@Internal
@NullMarked
package org.dpo4j.plan;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
