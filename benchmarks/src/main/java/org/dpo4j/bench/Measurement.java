package org.dpo4j.bench;

import java.util.List;

/**
 * What one run of a program showed.
 *
 * @param stepSeconds of every step, the first included
 * @param computeSeconds the parts of them without the optimizer; empty where it is not known
 * @param losses of every step
 * @param peakBytes most memory of the process
 * @param referenceSeconds what came before the steps for the reference; 0 where it is in them
 */
record Measurement(
    List<Double> stepSeconds,
    List<Double> computeSeconds,
    List<Double> losses,
    long peakBytes,
    double referenceSeconds) {

  /** Mean seconds of a step, the first left out: it warms up. */
  double step() {
    return mean(stepSeconds);
  }

  /** Mean seconds of a step's forward and backward, the first left out. */
  double compute() {
    return mean(computeSeconds);
  }

  private static double mean(List<Double> steps) {
    return steps.stream()
        .skip(Math.min(1, steps.size() - 1))
        .mapToDouble(Double::doubleValue)
        .average()
        .orElse(Double.NaN);
  }
}
