package org.dpo4j.train;

import java.util.List;

/**
 * Held-out pairs and when to evaluate them. They are always evaluated before the first step and
 * after the last one, so that the final figures are those of the saved weights.
 *
 * @param sets the held-out pairs, at least one set
 * @param batchSize pairs that go through the model together, at least 1
 * @param everySteps steps between two evaluations; 0 for none by steps
 * @param everyEpoch whether each epoch ends with an evaluation
 */
public record Evaluation(List<HeldOut> sets, int batchSize, int everySteps, boolean everyEpoch) {

  /**
   * Pairs that are evaluated together.
   *
   * @param name in their reports; empty if there is a single set
   * @param data the pairs
   */
  public record HeldOut(String name, TrainingData data) {}

  boolean due(int step, boolean endOfEpoch) {
    return (everySteps > 0 && step % everySteps == 0) || (everyEpoch && endOfEpoch);
  }
}
