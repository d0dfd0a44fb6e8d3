/**
 * Predicts the cost of a run. The input is the sizes of a model and token counts; the output is
 * arithmetic, memory and seconds. The predictions use numbers that are known before any weight is
 * read, and a short trial on the machine.
 *
 * <p>No checkpoint's weights are read here. Start with {@link org.dpo4j.plan.StepArithmetic}.
 */
@Internal
@NullMarked
package org.dpo4j.plan;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
