/**
 * What a run says and writes about itself: lines on the console, {@code trainer_state.json}, the
 * results files, the curves and the model card. Step and evaluation reports enter; text, JSON and
 * PNG files leave.
 *
 * <p>Never here: tensors, training, and deciding where the output goes. Every name and number comes
 * through {@link org.dpo4j.report.MetricNames}, so that console and files cannot disagree; start
 * there, then {@link org.dpo4j.report.RunHistory}.
 */
@NullMarked
package org.dpo4j.report;

import org.jspecify.annotations.NullMarked;
