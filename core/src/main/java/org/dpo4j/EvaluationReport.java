package org.dpo4j;

/**
 * Measurements of an evaluation on held-out examples.
 *
 * @param step optimizer steps done before it; 0 for the evaluation before training
 * @param epoch passes over the training examples so far, as a fraction
 * @param dataset name of the evaluation set; empty if the run has a single one without a name
 * @param metrics means over the held-out examples
 * @param examples number of held-out examples
 * @param seconds wall time of the evaluation
 */
public record EvaluationReport(
    int step,
    double epoch,
    String dataset,
    TrainingMetrics metrics,
    int examples,
    double seconds) {}
