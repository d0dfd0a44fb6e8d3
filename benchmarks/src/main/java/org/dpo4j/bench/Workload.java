package org.dpo4j.bench;

import java.nio.file.Path;

/**
 * What both programs are given.
 *
 * @param model folder of the checkpoint
 * @param data file with exactly the pairs of the steps
 * @param pairs of a step
 * @param steps of a run
 * @param loraRank rank of an adapter on q_proj and v_proj; 0 for training the model
 */
record Workload(Path model, Path data, int pairs, int steps, int loraRank) {

  static final int MAX_LENGTH = 512;
  static final String LEARNING_RATE = "5e-5";

  boolean lora() {
    return loraRank > 0;
  }
}
