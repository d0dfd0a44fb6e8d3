package org.dpo4j.train;

/**
 * What an evaluation on held-out pairs measured.
 *
 * @param step steps done before it; 0 for the evaluation before training
 * @param epoch passes over the training data so far
 * @param metrics means over the held-out pairs
 * @param pairs how many there were
 * @param seconds wall time of the evaluation
 */
public record EvaluationReport(
    int step, double epoch, PairMetrics metrics, int pairs, double seconds) {}
