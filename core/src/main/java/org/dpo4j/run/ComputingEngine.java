package org.dpo4j.run;

import java.util.List;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.report.RunOutput;

/** The engine that computes a run, which is not always the one that the options name. */
final class ComputingEngine {

  private ComputingEngine() {}

  /**
   * Whether libtorch's autograd computes the run.
   *
   * @param untapedParts of the model
   */
  static boolean isAutograd(TrainingConfig config, List<String> untapedParts) {
    return isAskedFor(config) || !untapedParts.isEmpty();
  }

  /** Notes that the model's parts decide for the slower engine. */
  static void note(TrainingConfig config, List<String> untapedParts, RunOutput output) {
    if (!untapedParts.isEmpty() && !isAskedFor(config)) {
      output.note(
          "the model has "
              + String.join(" and ", untapedParts)
              + ", which have no hand-written backward pass: the autograd engine trains it, slower"
              + " and with more memory");
    }
  }

  private static boolean isAskedFor(TrainingConfig config) {
    return config.engine().computation().engine() == LogProbEngine.autograd();
  }
}
