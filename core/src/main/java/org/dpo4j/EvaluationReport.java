package org.dpo4j;

/**
 * Measurements of an evaluation on held-out examples.
 *
 * @param step optimizer steps done before it; 0 for the evaluation before training
 * @param epoch passes over the training examples so far, as a fraction
 * @param metrics means over the held-out examples
 * @param examples number of held-out examples
 * @param seconds wall time of the evaluation
 */
public record EvaluationReport(
    int step, double epoch, TrainingMetrics metrics, int examples, double seconds) {}
