/**
 * Runs the commands by wiring the other packages together. In: a configuration of {@link
 * org.dpo4j.config}. Out: a folder with a tuned checkpoint, scores, texts or a plan. Not here:
 * formulas. Start at {@link org.dpo4j.run.TrainingRun}; {@link org.dpo4j.run.RoundsRun} repeats
 * several of them.
 */
@org.dpo4j.Internal
@org.jspecify.annotations.NullMarked
package org.dpo4j.run;
