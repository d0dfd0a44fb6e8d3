package org.dpo4j.run;

import java.util.List;
import org.dpo4j.EndReason;

/**
 * What a run did, known after its final evaluation.
 *
 * @param endReason why it ended
 * @param steps steps done
 * @param skippedSteps steps among them that were skipped because a number was not finite
 * @param epoch passes over the training pairs
 * @param examplesSeen pairs trained on, each counted as often as it was used
 * @param numTokens token ids trained on
 * @param seconds wall time from before the reference log-probabilities on
 * @param referenceSeconds the part of it that reference log-probabilities took
 * @param earlyWarnings warnings from before the first step
 */
record TrainingTotals(
    EndReason endReason,
    int steps,
    int skippedSteps,
    double epoch,
    long examplesSeen,
    long numTokens,
    double seconds,
    double referenceSeconds,
    List<String> earlyWarnings) {}
