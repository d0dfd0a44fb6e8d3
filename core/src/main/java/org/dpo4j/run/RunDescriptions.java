package org.dpo4j.run;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dpo4j.ExampleKind;
import org.dpo4j.config.LossSettings;
import org.dpo4j.config.LossType;
import org.dpo4j.config.ReferenceChoice;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.loss.FDivergence;
import org.dpo4j.model.lora.LoraConfig;
import org.dpo4j.model.lora.LoraModel;
import org.dpo4j.model.lora.LoraPlan;
import org.dpo4j.options.OptionType;
import org.dpo4j.reference.ReferenceFiles;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.torch.ComputeDevice;
import org.dpo4j.train.Computation;

/** Describes the loss, the reference and the adapter of a training run. */
final class RunDescriptions {
  private static final int SHOWN_DIGITS = 12;

  private final TrainingConfig config;

  RunDescriptions(TrainingConfig config) {
    this.config = config;
  }

  /**
   * The device, unless it is the processor as by default, and the precision of matrix products with
   * a reason.
   */
  String computation() {
    Computation computation = config.engine().computation();
    ComputeDevice device = config.engine().computeDevice();
    return (computation.bf16() ? "float32 with products in bfloat16" : "float32")
        + (config.engine().bf16() && !computation.bf16()
            ? ", since bf16 products are slower than float32 on this processor"
            : "")
        + (device.isCpu() && !config.engine().device().isAuto() ? "" : ", on " + device);
  }

  /** The loss with its settings that are not defaults. */
  String loss() {
    TrainingConfig.Loss loss = config.loss();
    List<String> words = new ArrayList<>(List.of(lossNames()));
    if (loss.examples() != ExampleKind.DEMONSTRATIONS) {
      words.add("beta " + OptionType.text(loss.beta()));
    }
    for (LossSettings.Setting setting : LossSettings.Setting.values()) {
      double value = setting.of(loss.settings());
      boolean shown = value != 0 && loss.lossType().stream().anyMatch(t -> t.takes(setting));
      if (shown) {
        words.add(setting.words() + " " + OptionType.text(value));
      }
    }
    if (loss.fDivergenceType() != FDivergence.Type.REVERSE_KL) {
      words.add("f-divergence " + OptionType.text(loss.fDivergenceType()));
    }
    if (loss.fDivergenceType() == FDivergence.Type.ALPHA_DIVERGENCE) {
      words.add("its alpha " + OptionType.text(loss.fAlphaDivergenceCoef()));
    }
    loss.ldAlpha().ifPresent(alpha -> words.add("ld_alpha " + OptionType.text(alpha)));
    if (loss.useWeighting()) {
      words.add("WPO weights");
    }
    return String.join(", ", words);
  }

  /** The losses with their weights. */
  String lossNames() {
    List<LossType> types = config.loss().lossType();
    return config
        .loss()
        .lossWeights()
        .map(
            weights ->
                IntStream.range(0, types.size())
                    .mapToObj(
                        i ->
                            OptionType.text(weights.get(i)) + " x " + OptionType.text(types.get(i)))
                    .collect(Collectors.joining(" + ")))
        .orElseGet(() -> types.stream().map(OptionType::text).collect(Collectors.joining(" + ")));
  }

  /**
   * The reference with a hash of its weights, and whether the first step is checked.
   *
   * @param files the files of the reference, if it was read from files
   */
  String reference(Optional<ReferenceFiles> files) {
    TrainingConfig.Loss loss = config.loss();
    if (loss.referenceChoice() == ReferenceChoice.NONE) {
      return "none; start check skipped: without a reference nothing is known of the initial loss";
    }
    String words = referenceModel() + moving() + " (" + hashes(files.orElseThrow()) + ")";
    if (!config.startsAtReference()) {
      return words + "; start check skipped: training does not start from it";
    }
    return loss.objective().valueAtZero().isPresent()
        ? words
        : words
            + "; start check skipped: the first loss depends on the "
            + loss.examples().noun()
            + "s";
  }

  private String referenceModel() {
    TrainingConfig.Loss loss = config.loss();
    if (loss.refModel().isPresent()) {
      return loss.refModel().get() + (loss.syncRefModel() ? "" : ", frozen");
    }
    if (loss.syncRefModel() && config.trainsAdapter()) {
      return "the start model with a copy of the adapter";
    }
    if (isWithoutAdapter()) {
      return "the model with its adapter off";
    }
    return (loss.syncRefModel() ? "a copy" : "a frozen copy")
        + " of the start model"
        + config.model().adapter().map(path -> " with the adapter " + path).orElse("");
  }

  /**
   * Whether the reference is the policy without its adapter. That includes runs with a new adapter,
   * which is 0 at the start.
   */
  private boolean isWithoutAdapter() {
    return config.loss().refModel().isEmpty()
        && (config.loss().referenceChoice() == ReferenceChoice.BASE
            || (config.trainsAdapter() && config.model().adapter().isEmpty()));
  }

  private String moving() {
    TrainingConfig.Loss loss = config.loss();
    return loss.syncRefModel()
        ? ", which goes %s of the way to the policy after every %s"
            .formatted(
                OptionType.text(loss.refModelMixupAlpha()),
                ShortNumber.count(loss.refModelSyncSteps(), "step"))
        : "";
  }

  private static String hashes(ReferenceFiles files) {
    return "weights "
        + hash(files.weights())
        + files.adapter().map(adapter -> ", adapter " + hash(adapter.weights())).orElse("");
  }

  private static String hash(String sha256) {
    return "sha256 " + shortHash(sha256);
  }

  /** The first digits of a hash, enough to distinguish models. */
  static String shortHash(String sha256) {
    return sha256.substring(0, Math.min(SHOWN_DIGITS, sha256.length()));
  }

  /** As above for the model card, without local paths. */
  String referenceOfCard() {
    TrainingConfig.Loss loss = config.loss();
    if (loss.referenceChoice() == ReferenceChoice.NONE) {
      return "none";
    }
    if (loss.syncRefModel() && config.trainsAdapter()) {
      return "that model with a copy of the adapter" + moving();
    }
    if (isWithoutAdapter()) {
      return "that model without an adapter";
    }
    String copy = (loss.syncRefModel() ? "a copy" : "a frozen copy") + " of that model";
    String adapter =
        config.model().adapter().isPresent() ? " with the adapter that training went on with" : "";
    return loss.refModel()
            .map(path -> String.valueOf(path.toAbsolutePath().normalize().getFileName()))
            .orElse(copy + adapter)
        + moving();
  }

  /** Describes the trained adapter. */
  String adapter(LoraModel model) {
    LoraConfig lora = model.config();
    long trained = model.trained().count();
    long all = model.parameters().count() + trained - model.plan().savedCount();
    return String.format(
        Locale.ROOT,
        "%s, %,d of %,d parameters trained (%.2f %%); rank %d, alpha %s%s, dropout %s%s, on"
            + " %s%s",
        lora.dora() ? "DoRA" : "LoRA",
        trained,
        all,
        100.0 * trained / all,
        lora.rank(),
        OptionType.text(lora.alpha()),
        lora.rsLora() ? " over the root of the rank" : "",
        OptionType.text(lora.dropout()),
        config.lora().disableDropout() && lora.dropout() > 0 ? " off (disable_dropout)" : "",
        places(model.plan()),
        biases(lora.bias())
            + (lora.modulesToSave().isEmpty()
                ? ""
                : ", whole modules: " + String.join(", ", lora.modulesToSave())));
  }

  /** What the adapter is on. */
  private static String places(LoraPlan plan) {
    List<String> places = new ArrayList<>();
    if (!plan.layers().isEmpty()) {
      places.add(
          "%d layers (%s)"
              .formatted(
                  plan.layers().size(), String.join(", ", LoraPlan.lastParts(plan.layers()))));
    }
    if (plan.tiedHead() != null) {
      places.add("the tied head");
    }
    if (!plan.lastPartsOfParameters().isEmpty()) {
      places.add(String.join(", ", plan.lastPartsOfParameters()));
    }
    return String.join(" and ", places);
  }

  private static String biases(LoraConfig.Bias bias) {
    return switch (bias) {
      case NONE -> "";
      case ALL -> ", all biases";
      case LORA_ONLY -> ", the biases of these layers";
    };
  }
}
