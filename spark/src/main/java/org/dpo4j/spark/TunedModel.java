package org.dpo4j.spark;

import java.io.Serializable;
import org.dpo4j.EndReason;

/**
 * What a training job has written.
 *
 * @param folder the output folder, as rank 0 sees it
 * @param endReason why the run ended
 * @param steps optimizer steps done
 * @param maxSteps planned optimizer steps
 * @param examplesSeen examples trained on, each counted as often as it was used
 * @param seconds wall time of the run, earlier attempts included
 */
public record TunedModel(
    String folder, EndReason endReason, int steps, int maxSteps, long examplesSeen, double seconds)
    implements Serializable {}
