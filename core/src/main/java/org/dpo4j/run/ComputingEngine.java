package org.dpo4j.run;

import java.util.List;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.config.BaseDtype;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.model.WeightMemory;
import org.dpo4j.model.WeightStorage;
import org.dpo4j.report.RunOutput;
import org.dpo4j.weights.ModelBlueprint;

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
    if (!config.engine().computeDevice().isCpu()) {
      output.warn(
          OptionText.of(
              "{device} %s: the project's tests run without a GPU, so compare the first steps with"
                  + " those of {device} cpu",
              config.engine().computeDevice()));
    } else if (!untapedParts.isEmpty() && !isAskedFor(config)) {
      output.note(
          "the model has "
              + String.join(" and ", untapedParts)
              + ", which have no hand-written backward pass: the autograd engine trains it, slower"
              + " and with more memory");
    }
  }

  /** How a run keeps the weights of its model, and on which device. */
  static WeightMemory memory(TrainingConfig config, ModelBlueprint model) {
    return new WeightMemory(storage(config, model), config.engine().computeDevice());
  }

  /**
   * The number types of the weights. Autograd saves the fp32 values of each product, so that narrow
   * ones beside them would only add to the memory.
   *
   * @throws UsageException if 8 bits are asked for where they save nothing
   */
  static WeightStorage storage(TrainingConfig config, ModelBlueprint model) {
    if (!config.trainsAdapter()) {
      return WeightStorage.FP32;
    }
    if (!isAutograd(config, model.untapedParts())) {
      return config.lora().baseDtype().storage();
    }
    if (config.lora().baseDtype() == BaseDtype.INT8) {
      throw new UsageException(
          "base_dtype",
          "int8 needs hand-written backward passes, which autograd does not use,",
          reason(config, model),
          "leave it out");
    }
    return WeightStorage.FP32;
  }

  private static String reason(TrainingConfig config, ModelBlueprint model) {
    if (!config.engine().computeDevice().isCpu()) {
      return OptionText.of("{device} is %s", config.engine().device());
    }
    return isAskedFor(config)
        ? OptionText.of("{engine} is autograd")
        : "the model has " + String.join(" and ", model.untapedParts());
  }

  private static boolean isAskedFor(TrainingConfig config) {
    return config.engine().computation().engine() == LogProbEngine.autograd();
  }
}
