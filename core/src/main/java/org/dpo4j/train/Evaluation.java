package org.dpo4j.train;

/**
 * Held-out pairs and when to evaluate them. They are always evaluated before the first step and
 * after the last one, so that the final figures are those of the saved weights.
 *
 * @param data the held-out pairs
 * @param batchSize pairs that go through the model together, at least 1
 * @param everySteps steps between two evaluations; 0 for none by steps
 * @param everyEpoch whether each epoch ends with an evaluation
 */
public record Evaluation(TrainingData data, int batchSize, int everySteps, boolean everyEpoch) {

  boolean due(int step, boolean endOfEpoch) {
    return (everySteps > 0 && step % everySteps == 0) || (everyEpoch && endOfEpoch);
  }
}
