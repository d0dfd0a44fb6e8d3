/**
 * Figures of scored pairs with their uncertainty. In: {@link org.dpo4j.evaluate.PairScore}s, plain
 * numbers. Out: accuracies with intervals, calibration, slices, and tests whether two models
 * differ. No model is run here and nothing is printed. Start at {@link
 * org.dpo4j.evaluate.PairFigures}.
 */
@Internal
@NullMarked
package org.dpo4j.evaluate;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
