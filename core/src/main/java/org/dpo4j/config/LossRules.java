package org.dpo4j.config;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.encode.PackingStrategy;
import org.dpo4j.encode.TruncationMode;
import org.dpo4j.loss.CombinedLoss;
import org.dpo4j.loss.FDivergence;
import org.dpo4j.loss.Objective;
import org.dpo4j.loss.PreferenceLoss;
import org.dpo4j.loss.ReferenceUse;
import org.dpo4j.loss.TrainingLoss;
import org.dpo4j.options.OptionType;

/**
 * Checks that the options about losses are compatible with each loss, so that no accepted option is
 * ignored. A default may be given explicitly with a loss that does not use it.
 */
public final class LossRules {

  /** Settings for queries whose answer does not depend on them. */
  private static final LossSettings ANY = LossSettings.of(0.1, 0.1);

  private LossRules() {}

  /**
   * The requested losses, combined into one.
   *
   * @param weights one per type; empty for 1 each
   */
  public static TrainingLoss loss(
      List<LossType> types, Optional<List<Double>> weights, LossSettings settings) {
    if (new HashSet<>(types).size() < types.size()) {
      throw new UsageException(
          "loss_type",
          "must name each loss once",
          "was %s".formatted(OptionType.text(types)),
          OptionText.of("its weight in {loss_weights} says how much it counts"));
    }
    for (LossSettings.Setting setting : LossSettings.Setting.values()) {
      requireTaken(types, setting, settings);
    }
    if (weights.isPresent() && weights.get().size() != types.size()) {
      throw new UsageException(
          "loss_weights",
          "must be as many as the losses, %d,".formatted(types.size()),
          "were %d".formatted(weights.get().size()),
          "the losses are %s".formatted(OptionType.text(types)));
    }
    List<TrainingLoss> losses = types.stream().map(type -> type.create(settings)).toList();
    if (losses.size() == 1 && losses.get(0).examples() != ExampleKind.PAIRS) {
      return alone(losses.get(0), weights);
    }
    List<CombinedLoss.Part> parts = new ArrayList<>();
    for (int i = 0; i < types.size(); i++) {
      if (!(losses.get(i) instanceof PreferenceLoss loss)) {
        throw new UsageException(
            "loss_type",
            "%s does not learn from pairs and does not combine with other losses"
                .formatted(OptionType.text(types.get(i))),
            "was %s".formatted(OptionType.text(types)),
            "name it alone");
      }
      double weight = weights.isPresent() ? weights.get().get(i) : 1;
      OptionChecks.positive("loss_weights", weight, "leave a loss out that must not count");
      parts.add(new CombinedLoss.Part(loss, weight));
    }
    boolean plain = parts.size() == 1 && parts.get(0).weight() == 1;
    return plain ? parts.get(0).loss() : new CombinedLoss(parts);
  }

  private static TrainingLoss alone(TrainingLoss loss, Optional<List<Double>> weights) {
    if (weights.isPresent() && weights.get().get(0) != 1) {
      throw new UsageException(
          "loss_weights",
          "weighs losses against each other",
          OptionText.of("{loss_type} %s stands alone", loss.name()),
          "leave it out");
    }
    return loss;
  }

  private static void requireTaken(
      List<LossType> types, LossSettings.Setting setting, LossSettings settings) {
    double value = setting.of(settings);
    if (value != setting.neutral() && types.stream().noneMatch(type -> type.takes(setting))) {
      throw new UsageException(
          setting.name().toLowerCase(Locale.ROOT),
          OptionText.of("works with {loss_type} %s", names(type -> type.takes(setting))),
          "the loss is %s".formatted(OptionType.text(types)),
          "leave it at %s or change the loss".formatted(OptionType.text(setting.neutral())));
    }
  }

  /**
   * Refuses options that the losses of a run would ignore or that have no meaning for one of them.
   */
  static void check(TrainingConfig.Loss options) {
    Objective objective = options.objective();
    TrainingLoss loss = objective.loss();
    String types = OptionType.text(options.lossType());
    if (options.fDivergenceType() != FDivergence.Type.REVERSE_KL) {
      requireScores(options, types);
    }
    if (options.fAlphaDivergenceCoef() != FDivergence.NONE.alpha()
        && options.fDivergenceType() != FDivergence.Type.ALPHA_DIVERGENCE) {
      throw new UsageException(
          "f_alpha_divergence_coef",
          OptionText.of("works with {f_divergence_type} alpha_divergence"),
          "that is %s".formatted(OptionType.text(options.fDivergenceType())),
          "leave it at 0.5 or change the divergence");
    }
    if (options.useWeighting() && !loss.keepsExamples()) {
      throw new UsageException(
          "use_weighting",
          "weighs pair by pair",
          OptionText.of("{loss_type} %s sorts the pairs of a micro-batch", types),
          "leave out one of them");
    }
    boolean pairs = loss.examples() == ExampleKind.PAIRS;
    if (options.useWeighting() && !pairs) {
      throw new UsageException(
          "use_weighting",
          "weighs pairs",
          OptionText.of("{loss_type} %s learns from single completions", types),
          "leave it out");
    }
    boolean compares = loss.reference() == ReferenceUse.LOSS;
    if (objective.tail().alpha() != 1 && (!pairs || loss.reference() == ReferenceUse.REWARDS)) {
      throw new UsageException(
          "ld_alpha",
          "weights completions that are compared",
          OptionText.of("{loss_type} %s compares none", types),
          "leave it out");
    }
    if (options.syncRefModel() && !compares) {
      throw new UsageException(
          "sync_ref_model",
          "moves the reference",
          OptionText.of("{loss_type} %s needs none", types),
          "leave it out");
    }
    checkReference(options, loss.reference(), types);
    checkMovement(options);
  }

  /** Refuses what TRL's trainer of labelled completions does not have. */
  static void checkTruncation(TrainingConfig.Data data, TrainingConfig.Loss loss) {
    if (data.truncationMode() == TruncationMode.KEEP_END
        && loss.examples() == ExampleKind.LABELED) {
      throw new UsageException(
          "truncation_mode",
          "keep_end works with pairs and demonstrations, as in TRL",
          "the loss is %s".formatted(OptionType.text(loss.lossType())),
          "leave it out");
    }
  }

  /** Refuses to choose what the loss depends on. */
  static void checkBatchChoice(TrainingConfig.Batching batching, TrainingConfig.Loss loss) {
    if (batching.autoFindBatchSize() && (loss.usesKl() || !loss.objective().loss().separable())) {
      throw new UsageException(
          "auto_find_batch_size",
          "works with losses that do not depend on the micro-batch",
          "the loss is %s".formatted(OptionType.text(loss.lossType())),
          OptionText.of("leave it out, and lower {per_device_train_batch_size} yourself"));
    }
  }

  /** Refuses options about demonstrations with other losses, and packs without a length. */
  static void checkDemonstrations(TrainingConfig.Data data, TrainingConfig.Loss loss) {
    if (loss.examples() != ExampleKind.DEMONSTRATIONS) {
      requireNll("completion_only_loss", !data.completionOnlyLoss().orElse(true), loss);
      requireNll("assistant_only_loss", data.assistantOnlyLoss(), loss);
      return;
    }
    if (data.packing() && data.maxLength() == 0) {
      throw new UsageException(
          "packing",
          OptionText.of("fills sequences of {max_length} tokens"),
          OptionText.of("{max_length} was 0, no limit"),
          OptionText.of("pass {max_length} 1024"));
    }
    if (!data.packing() && data.packingStrategy() != PackingStrategy.BFD) {
      throw new UsageException(
          "packing_strategy",
          OptionText.of("works with {packing} true"),
          "",
          OptionText.of("leave it at bfd or pass {packing}"));
    }
  }

  private static void requireNll(String option, boolean given, TrainingConfig.Loss loss) {
    if (given) {
      throw new UsageException(
          option,
          OptionText.of("works with {loss_type} nll, also in the command sft"),
          "the loss is %s".formatted(OptionType.text(loss.lossType())),
          "leave it out or change the loss");
    }
  }

  private static void requireScores(TrainingConfig.Loss options, String types) {
    boolean some = false;
    boolean all = true;
    for (LossType type : options.lossType()) {
      TrainingLoss loss = type.create(options.settings());
      some |= loss.usesScores();
      all &= loss.usesScores() || loss.reference() != ReferenceUse.LOSS;
    }
    if (!some || !all) {
      throw new UsageException(
          "f_divergence_type",
          OptionText.of(
              "%s works with {loss_type} %s, also beside losses that need no reference,",
              OptionType.text(options.fDivergenceType()),
              names(type -> type.create(ANY).usesScores())),
          "the loss is %s".formatted(types),
          "leave it at reverse_kl or change the loss");
    }
  }

  private static void checkReference(TrainingConfig.Loss options, ReferenceUse need, String types) {
    if (options.refModel().isPresent()
        && options.reference().isPresent()
        && options.reference().get() != ReferenceChoice.START) {
      throw new UsageException(
          "ref_model",
          OptionText.of(
              "and {reference} %s name two references", OptionType.text(options.reference().get())),
          "",
          "pass one of them");
    }
    boolean none = options.referenceChoice() == ReferenceChoice.NONE;
    if (none && need == ReferenceUse.LOSS) {
      throw new UsageException(
          "reference",
          "none is for losses without a reference, %s,"
              .formatted(names(type -> type.create(ANY).reference() != need)),
          OptionText.of("{loss_type} %s needs one", types),
          OptionText.of("use {reference} start"));
    }
    if (need == ReferenceUse.NONE && (options.refModel().isPresent() || !none)) {
      throw new UsageException(
          options.refModel().isPresent() ? "ref_model" : "reference",
          "names a reference",
          OptionText.of("{loss_type} %s has no use for one", types),
          "leave it out");
    }
  }

  private static void checkMovement(TrainingConfig.Loss options) {
    if (!options.syncRefModel()) {
      requireSync("ref_model_mixup_alpha", options.refModelMixupAlpha(), 0.6);
      requireSync("ref_model_sync_steps", options.refModelSyncSteps(), 512);
    }
    if (options.syncRefModel() && options.referenceChoice() == ReferenceChoice.BASE) {
      throw new UsageException(
          "sync_ref_model",
          "moves a copy of what is trained towards the policy",
          OptionText.of("{reference} base is the model with its adapter off"),
          "leave out one of them");
    }
  }

  private static void requireSync(String option, double value, double neutral) {
    if (value != neutral) {
      throw new UsageException(
          option,
          OptionText.of("works with {sync_ref_model} true"),
          "",
          OptionText.of("leave it at %s or pass {sync_ref_model} true", OptionType.text(neutral)));
    }
  }

  private static String names(Predicate<LossType> which) {
    return Arrays.stream(LossType.values())
        .filter(which)
        .map(OptionType::text)
        .collect(Collectors.joining(", "));
  }
}
