/**
 * Reports of a run: lines on the console, {@code trainer_state.json}, the results files, the curves
 * and the model card. Listeners such as {@link org.dpo4j.report.RunHistory} and {@link
 * org.dpo4j.report.ConsoleListener} receive the events of a run; the other classes write text, JSON
 * and PNG files from them.
 *
 * <p>This package has no tensors and no training, and does not choose the output folder. {@link
 * org.dpo4j.report.MetricNames} defines the names of all metrics, so that console and files agree.
 * Start there, then {@link org.dpo4j.report.RunHistory}.
 */
@Internal
@NullMarked
package org.dpo4j.report;

import org.dpo4j.Internal;
import org.jspecify.annotations.NullMarked;
