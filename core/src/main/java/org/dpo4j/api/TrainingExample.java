package org.dpo4j.api;

/**
 * What a loss learns from: a {@link PreferencePair}, or a {@link PromptCompletion} for the losses
 * on labelled completions and on demonstrations. These losses take pairs too: the first take them
 * apart, {@link Losses#nll} imitates the chosen sides. Values are checked when they are used, by
 * the rules for rows of files; messages about them name the number of the example.
 */
public sealed interface TrainingExample permits PreferencePair, PromptCompletion {

  /**
   * How much the example counts in the loss, relative to the others; positive, 1 by default.
   *
   * @return the weight
   */
  double weight();

  /**
   * The same example with another weight.
   *
   * @param weight positive and finite; only the relations between weights count
   * @return a changed copy
   */
  TrainingExample withWeight(double weight);
}
