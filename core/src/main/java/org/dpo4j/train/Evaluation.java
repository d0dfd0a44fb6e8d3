package org.dpo4j.train;

/**
 * Held-out pairs and when to look at them; always before the first and after the last step, so that
 * the last figures are those of the weights that are kept.
 *
 * @param data the held-out pairs
 * @param batchSize pairs that go through the model together
 * @param everySteps evaluate after each so many steps; 0 for not by steps
 * @param everyEpoch evaluate after each epoch
 */
public record Evaluation(PreferenceData data, int batchSize, int everySteps, boolean everyEpoch) {

  boolean due(int step, boolean endOfEpoch) {
    return (everySteps > 0 && step % everySteps == 0) || (everyEpoch && endOfEpoch);
  }
}
