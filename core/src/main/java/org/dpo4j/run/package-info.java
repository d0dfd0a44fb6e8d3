/**
 * Wires the packages together. A configuration of {@link org.dpo4j.config} enters; a folder with a
 * tuned checkpoint, scores, texts or a plan leaves. No formula lives here. Start with {@link
 * org.dpo4j.run.TrainingRun}.
 */
@org.jspecify.annotations.NullMarked
package org.dpo4j.run;
