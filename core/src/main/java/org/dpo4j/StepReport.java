package org.dpo4j;

/**
 * Measurements of one optimizer step, or of all steps since the previous report.
 *
 * @param step number of the last step covered, from 1 to {@code maxSteps}
 * @param maxSteps planned steps of the whole run
 * @param epoch passes over the training examples so far, as a fraction
 * @param examples number of examples that {@code metrics} covers
 * @param metrics means over these examples, from the forward passes before each update
 * @param gradNorm 2-norm of the gradient of all trained weights, before clipping, of the last step
 *     covered that was not skipped
 * @param learningRate of the last step covered
 * @param numTokens token ids since the start of the run, after truncation; a prompt counts once for
 *     each of its two completions
 * @param stepSeconds mean wall time of a covered step: forward pass, backward pass and optimizer
 * @param computeSeconds mean wall time of the forward and backward passes of a covered step
 */
public record StepReport(
    int step,
    int maxSteps,
    double epoch,
    int examples,
    TrainingMetrics metrics,
    double gradNorm,
    double learningRate,
    long numTokens,
    double stepSeconds,
    double computeSeconds) {}
