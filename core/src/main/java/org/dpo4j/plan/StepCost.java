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
   * Extrapolates the costs of a model from those of two models with fewer blocks. Each block costs
   * the same, and so do the parts outside the blocks.
   *
   * @param layers blocks of the model with these costs
   * @param larger costs of a model with {@code largerLayers} blocks, which are more than {@code
   *     layers}
   * @param wanted blocks of the model in question
   */
  public StepCost extrapolate(int layers, StepCost larger, int largerLayers, int wanted) {
    double steps = (double) (wanted - layers) / (largerLayers - layers);
    return new StepCost(
        line(compute, larger.compute, steps),
        line(forward, larger.forward, steps),
        line(optimizer, larger.optimizer, steps));
  }

  /** Costs of another micro-batch, which needs this multiple of the operations. */
  public StepCost scaled(double arithmetic) {
    return new StepCost(compute * arithmetic, forward * arithmetic, optimizer);
  }

  /** If noise makes the larger model look cheaper, the cost of a block is 0, not negative. */
  private static double line(double first, double second, double steps) {
    return first + Math.max(0, second - first) * steps;
  }
}
