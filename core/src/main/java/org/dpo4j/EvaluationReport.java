package org.dpo4j;

/**
 * Measurements of an evaluation on held-out pairs.
 *
 * @param step optimizer steps done before it; 0 for the evaluation before training
 * @param epoch passes over the training pairs so far, as a fraction
 * @param metrics means over the held-out pairs
 * @param pairs number of held-out pairs
 * @param seconds wall time of the evaluation
 */
public record EvaluationReport(
    int step, double epoch, PairMetrics metrics, int pairs, double seconds) {}
