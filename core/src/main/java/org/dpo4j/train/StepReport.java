package org.dpo4j.train;

/**
 * What is logged about optimizer steps: the means over all pairs since the last report.
 *
 * @param step 1-based number of the last step covered
 * @param maxSteps steps of the whole run
 * @param epoch passes over the data so far, as a fraction
 * @param metrics of the forward passes, before their updates
 * @param gradNorm global gradient norm before clipping, of the last step covered
 * @param learningRate used for the last step covered
 * @param numTokens ids after truncation since the start of the run; prompts count once per side
 * @param stepSeconds wall time of a covered step, the mean: forward, backward and optimizer
 * @param computeSeconds the part of it without the optimizer and the clipping before it
 */
public record StepReport(
    int step,
    int maxSteps,
    double epoch,
    PairMetrics metrics,
    double gradNorm,
    double learningRate,
    long numTokens,
    double stepSeconds,
    double computeSeconds) {}
