/**
 * Predicts the cost of a run before any weight is read. In: the sizes of a model, token counts, and
 * a short trial on the machine. Out: arithmetic, memory and seconds.
 *
 * <p>No checkpoint's weights are read here. Start with {@link org.dpo4j.plan.StepArithmetic}.
 */
@Internal
@NullMarked
package org.dpo4j.plan;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
