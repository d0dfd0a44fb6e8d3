package org.dpo4j;

import java.nio.file.Path;

/**
 * What a training run is about to do, with its sizes.
 *
 * @param trainingPairs pairs that are trained on
 * @param heldOutPairs pairs that are evaluated; 0 for no evaluation
 * @param stepsDone optimizer steps of the run that this one continues; 0 for a new run
 * @param maxSteps planned optimizer steps
 * @param stepsPerEpoch steps of one pass over the training pairs
 * @param pairsPerStep pairs of a step: micro-batch size times gradient accumulation, at most all
 *     pairs; the last step of an epoch may have fewer
 * @param parameters weights of the model, an adapter's included
 * @param trainedParameters weights that the optimizer changes
 * @param loss the loss and its constants, for people: {@code sigmoid (DPO), beta 0.1}
 * @param threads threads that compute
 * @param seed of the order of the pairs, of a new adapter's weights and of dropout
 * @param outputFolder where the result will be
 */
public record TrainingStart(
    int trainingPairs,
    int heldOutPairs,
    int stepsDone,
    int maxSteps,
    int stepsPerEpoch,
    int pairsPerStep,
    long parameters,
    long trainedParameters,
    String loss,
    int threads,
    long seed,
    Path outputFolder) {}
