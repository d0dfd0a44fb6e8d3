package org.dpo4j.plan;

/**
 * Seconds that the parts of training take.
 *
 * @param compute forward and backward of a micro-batch
 * @param forward a forward pass of it without gradients
 * @param optimizer the update after the micro-batches of a step
 */
public record StepCost(double compute, double forward, double optimizer) {

  /**
   * The costs of a model from those of two that have fewer blocks: each block costs the same, and
   * so does what all models have.
   *
   * @param layers blocks of the model that this is the cost of
   * @param larger costs of a model with {@code largerLayers} blocks, which is more
   * @param wanted blocks of the model in question
   */
  public StepCost extrapolate(int layers, StepCost larger, int largerLayers, int wanted) {
    double steps = (double) (wanted - layers) / (largerLayers - layers);
    return new StepCost(
        line(compute, larger.compute, steps),
        line(forward, larger.forward, steps),
        line(optimizer, larger.optimizer, steps));
  }

  /** Costs of another micro-batch that has so many times as much to do. */
  public StepCost scaled(double arithmetic) {
    return new StepCost(compute * arithmetic, forward * arithmetic, optimizer);
  }

  /** Noise may make the larger model look cheaper; a block costs nothing then, not less. */
  private static double line(double first, double second, double steps) {
    return first + Math.max(0, second - first) * steps;
  }
}
