package org.dpo4j.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.NamedInput;
import org.dpo4j.data.RowFormat;
import org.dpo4j.encode.ExampleEncoder.Scoring;
import org.dpo4j.encode.OnBadRow;
import org.dpo4j.encode.PackingStrategy;
import org.dpo4j.encode.TruncationMode;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.loss.FDivergence;
import org.dpo4j.loss.Objective;
import org.dpo4j.loss.ReferenceUse;
import org.dpo4j.loss.UnpairedLoss;
import org.dpo4j.model.lora.LoraConfig;
import org.dpo4j.optim.Adafactor;
import org.dpo4j.optim.AdamW;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.optim.Lion;
import org.dpo4j.options.CountOrFile;
import org.dpo4j.options.DeviceName;
import org.dpo4j.options.LoopbackPort;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;
import org.dpo4j.options.OptionType;
import org.dpo4j.options.ReadableFile;
import org.dpo4j.options.StepInterval;
import org.dpo4j.options.Suggestion;
import org.dpo4j.report.BestMetric;
import org.dpo4j.report.Guard;
import org.dpo4j.report.LogFormat;
import org.dpo4j.report.MetricNames;
import org.dpo4j.torch.ComputeDevice;
import org.dpo4j.train.Computation;

/**
 * The configuration of a training run: defaults are those of TRL 1.16 and transformers 5.23, except
 * for the differences listed in {@code docs/reference/trl.md}.
 *
 * <p>Every component of the parts below is one option; nothing else declares options. Build one
 * from option names with {@link #of}, change one with {@link #with}.
 *
 * <p>A wrong value or combination is a {@link UsageException} that names the option.
 */
public record TrainingConfig(
    Model model,
    Lora lora,
    Data data,
    Templating template,
    Loss loss,
    Optimizer optimizer,
    Schedule schedule,
    Batching batching,
    Evaluation evaluation,
    Output output,
    Checkpoints checkpoints,
    Engine engine) {

  /** The table of all options of a training run. */
  public static final OptionTable<TrainingConfig> OPTIONS = OptionTable.of(TrainingConfig.class);

  static final String DATA_HELP = "files or folders: .jsonl .json .csv .tsv .parquet";

  static final String COLUMNS_HELP = "column names in the files: prompt=question,chosen=good";

  public TrainingConfig {
    if (evaluation.evalStrategy() != EvalStrategy.NO
        && data.evalFile().isEmpty()
        && data.evalSplit().isEmpty()) {
      throw new UsageException(
          "eval_strategy",
          "%s needs held-out %ss"
              .formatted(OptionType.text(evaluation.evalStrategy()), loss.examples().noun()),
          "",
          OptionText.of("pass {eval_file} FILE or {eval_split} 0.1"));
    }
    schedule.settings(optimizer).check();
    checkpoints.check(evaluation.evalStrategy(), !data.evaluationSets().isEmpty());
    if (checkpoints.tracksBest()) {
      bestMetric(checkpoints, data, loss.examples());
    }
    LossRules.check(loss);
    if (loss.usesKl() && batching.perDeviceTrainBatchSize() == 1) {
      throw new UsageException(
          "per_device_train_batch_size",
          OptionText.of(
              "must be at least 2 with {loss_type} kto, whose KL estimate pairs each prompt with a"
                  + " completion of another example of its micro-batch"),
          "was 1",
          OptionText.of(
              "raise it and lower {gradient_accumulation_steps}, or use {loss_type}"
                  + " apo_zero_unpaired"));
    }
    LossRules.checkTruncation(data, loss);
    LossRules.checkBatchChoice(batching, loss);
    LossRules.checkDemonstrations(data, loss);
    boolean trainsAdapter = lora.usePeft() || model.adapter().isPresent();
    if (loss.referenceChoice() == ReferenceChoice.BASE && !trainsAdapter) {
      throw new UsageException(
          "reference",
          OptionText.of(
              "base means the model with its adapter off and needs {adapter} DIR or {use_peft}"),
          "",
          OptionText.of("without an adapter use {reference} start"));
    }
    if (!lora.disableDropout() && !trainsAdapter) {
      throw new UsageException(
          "disable_dropout",
          OptionText.of(
              "false lets an adapter's dropout act and needs {adapter} DIR or {use_peft}"),
          "",
          "the model's own dropout is always off here");
    }
    if (lora.baseDtype() != BaseDtype.AUTO && !trainsAdapter) {
      throw new UsageException(
          "base_dtype",
          OptionText.of(
              "is the type of a frozen model's weights and needs {adapter} DIR or {use_peft}"),
          "",
          "weights that are trained are in float32");
    }
    checkpoints.checkGuards(
        evaluation.evalStrategy(),
        !data.evaluationSets().isEmpty(),
        loss.examples(),
        startsAtReference(model, lora, loss));
    if (loss.syncRefModel() && trainsAdapter && loss.refModel().isPresent()) {
      throw new UsageException(
          "sync_ref_model",
          OptionText.of(
              "moves an adapter towards the policy with %s, and {ref_model} is a whole model",
              lora.usePeft() ? OptionText.of("{use_peft}") : OptionText.of("{adapter}")),
          "",
          "leave out one of them");
    }
  }

  /**
   * A configuration from option names and values, the rest at their defaults.
   *
   * @param options values as text, numbers, booleans or paths, for example {@code Map.of("model",
   *     dir, "data_file", file, "output_dir", out, "learning_rate", 1e-5)}
   */
  public static TrainingConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }

  /** This configuration with one option changed. */
  public TrainingConfig with(String option, Object value) {
    return OPTIONS.with(this, option, value);
  }

  /** Steps between evaluations if {@code eval_strategy} is steps; the default is logging_steps. */
  public StepInterval evalInterval() {
    return evaluation.evalSteps().orElse(output.loggingSteps());
  }

  /** The order of a run's examples, and how they form micro-batches and steps. */
  public EpochPlan epochPlan(int pairs, int microBatch, int accumulation) {
    EpochPlan.Order order =
        !data.shuffle()
            ? EpochPlan.Order.FILE
            : loss.usesKl() ? EpochPlan.Order.SHUFFLED_BATCHES : EpochPlan.Order.SHUFFLED;
    return new EpochPlan(pairs, microBatch, accumulation, order, engine.seed());
  }

  /** Optimizer steps of the whole run. */
  public int steps(EpochPlan plan) {
    return schedule.maxSteps() > 0
        ? schedule.maxSteps()
        : (int) Math.ceil(schedule.numTrainEpochs() * plan.stepsPerEpoch());
  }

  /** The learning rate of each step of a run of this length. */
  public LearningRateSchedule learningRate(int steps) {
    return new LearningRateSchedule(
        optimizer.learningRate(),
        schedule.settings(optimizer).shape(),
        schedule.warmup(steps),
        steps);
  }

  /** What the settings of the schedule do that may not be meant. */
  List<String> scheduleNotices() {
    return schedule.settings(optimizer).notices();
  }

  /** Whether an adapter is trained, new or continued, and the model's own weights are not. */
  public boolean trainsAdapter() {
    return lora.usePeft() || model.adapter().isPresent();
  }

  /**
   * Whether policy and reference compute the same before the first step. A new adapter does not
   * change the model yet. A trained one does, and dropout then changes its output.
   */
  public boolean startsAtReference() {
    return startsAtReference(model, lora, loss);
  }

  private static boolean startsAtReference(Model model, Lora lora, Loss loss) {
    ReferenceChoice reference = loss.referenceChoice();
    boolean plainStart = model.adapter().isEmpty();
    return loss.refModel().isEmpty()
        && reference != ReferenceChoice.NONE
        && (plainStart || (reference == ReferenceChoice.START && lora.disableDropout()));
  }

  /**
   * The metric by which evaluations are compared.
   *
   * @throws UsageException if no evaluation of this run has it
   */
  public BestMetric bestMetric() {
    return bestMetric(checkpoints, data, loss.examples());
  }

  private static BestMetric bestMetric(Checkpoints checkpoints, Data data, ExampleKind kind) {
    String name = BestMetric.fullName(checkpoints.metricForBestModel().orElse("loss"));
    List<String> sets = data.evaluationSets().isEmpty() ? List.of("") : data.evaluationSets();
    String set =
        sets.stream()
            .filter(candidate -> MetricNames.ofEvaluation(kind, candidate).contains(name))
            .findFirst()
            .orElseThrow(() -> noMetric(checkpoints, name, sets, kind));
    return new BestMetric(set, name, checkpoints.greaterIsBetter().orElse(!name.endsWith("loss")));
  }

  private static UsageException noMetric(
      Checkpoints checkpoints, String name, List<String> sets, ExampleKind kind) {
    List<String> plain = MetricNames.ofEvaluation(kind, "");
    String metrics =
        plain.stream()
            .map(metric -> metric.replaceFirst("^eval_", ""))
            .collect(Collectors.joining(", "));
    // Without a set's name the first set is meant, however far its name is away.
    Optional<String> meant =
        Optional.of(MetricNames.ofEvaluation(kind, sets.get(0)))
            .filter(names -> plain.contains(name))
            .map(names -> names.get(plain.indexOf(name)))
            .or(
                () ->
                    Suggestion.nearest(
                        name,
                        sets.stream()
                            .flatMap(set -> MetricNames.ofEvaluation(kind, set).stream())
                            .toList()));
    return new UsageException(
        "metric_for_best_model",
        sets.equals(List.of(""))
            ? "must be one of %s, with eval_ before it or without".formatted(metrics)
            : "must be eval_SET_METRIC with the SET %s and the METRIC one of %s"
                .formatted(
                    sets.size() == 1 ? sets.get(0) : "one of " + String.join(", ", sets), metrics),
        "was " + checkpoints.metricForBestModel().orElse("eval_loss, the default"),
        meant.map("did you mean %s?"::formatted).orElse(""));
  }

  /** Checks that all input files and folders exist; throws UsageException naming the option. */
  public void checkInputs() {
    checkFolders();
    data.training();
    data.heldOut();
  }

  /** {@link #checkInputs} for a run whose examples are not in files. */
  public void checkFolders() {
    InputPaths.requireModel("model", model.model());
    template.checkInputs();
    model.adapter().ifPresent(InputPaths::requireAdapter);
    loss.refModel().ifPresent(path -> InputPaths.requireModel("ref_model", path));
    output.samplePrompts().file().ifPresent(file -> ReadableFile.require("sample_prompts", file));
    CacheFolder.of(this);
    checkpoints.resumedFolder();
  }

  /** The model that is trained. */
  public record Model(
      @Option(
              help = "folder of the model to tune, in Hugging Face format",
              aliases = "model_name_or_path")
          Path model,
      @Option(help = "folder of a LoRA adapter to continue training") Optional<Path> adapter) {}

  /**
   * The LoRA adapter that is trained; with {@code --adapter}, options that are not given take that
   * adapter's values.
   */
  public record Lora(
      @Option(value = "false", help = "train a LoRA adapter instead of all weights")
          boolean usePeft,
      @Option(help = "LoRA rank (default 16)") Optional<Integer> loraR,
      @Option(help = "LoRA alpha: the scale is alpha / rank (default 32)")
          Optional<Double> loraAlpha,
      @Option(help = "dropout probability on the adapter's input (default 0.05)")
          Optional<Double> loraDropout,
      @Option(help = "layers to adapt, all-linear, or a regex (default PEFT's)")
          Optional<List<String>> loraTargetModules,
      @Option(
              help = "of these layers the ones to leave out, or a regex",
              aliases = "exclude_modules")
          Optional<List<String>> loraExcludeModules,
      @Option(
              help = "numbers of the blocks to adapt, from 0 (default all)",
              aliases = {"layers_to_transform", "peft_layers_to_transform"})
          Optional<List<Integer>> loraLayersToTransform,
      @Option(
              help = "experts and routers to adapt, as mlp.experts.down_proj",
              aliases = "target_parameters")
          Optional<List<String>> loraTargetParameters,
      @Option(help = "the model's biases to train (default none)")
          Optional<LoraConfig.Bias> loraBias,
      @Option(help = "modules to train in full besides the adapter")
          Optional<List<String>> loraModulesToSave,
      @Option(
              value = "false",
              help = "embedding and head that are one matrix stay one",
              aliases = "ensure_weight_tying")
          boolean loraEnsureWeightTying,
      @Option(help = "rank per layer, as q_proj=8,v_proj=4") Optional<List<String>> loraRankPattern,
      @Option(help = "alpha per layer, as q_proj=16") Optional<List<String>> loraAlphaPattern,
      @Option(value = "false", help = "rank-stabilized LoRA: the scale is alpha / sqrt(rank)")
          boolean useRslora,
      @Option(value = "false", help = "DoRA: train lengths and directions of rows apart")
          boolean useDora,
      @Option(value = "true", help = "false applies lora_dropout in training")
          boolean disableDropout,
      @Option(value = "auto", help = "frozen weights; auto keeps the type") BaseDtype baseDtype) {
    public Lora {
      loraR.ifPresent(rank -> OptionChecks.atLeast("lora_r", rank, 1, "16 is usual"));
      loraAlpha.ifPresent(
          alpha -> OptionChecks.positive("lora_alpha", alpha, "twice the rank is usual"));
      loraDropout.ifPresent(
          share ->
              OptionChecks.require(
                  share >= 0 && share < 1, "lora_dropout", "in [0, 1)", share, "0.05 is usual"));
      loraLayersToTransform
          .orElse(List.of())
          .forEach(
              block ->
                  OptionChecks.atLeast(
                      "lora_layers_to_transform", block, 0, "the first block is 0"));
    }

    /** The rank of a new adapter. */
    public int rank() {
      return loraR.orElse(16);
    }

    /** The numerator of a new adapter's scale. */
    public double alpha() {
      return loraAlpha.orElse(32.0);
    }

    /** The dropout of a new adapter. */
    public double dropout() {
      return loraDropout.orElse(0.05);
    }
  }

  /** The examples and how they are processed. */
  public record Data(
      @Option(help = DATA_HELP) List<Path> dataFile,
      @Option(help = "mixture weight of each data_file entry") Optional<List<Double>> dataWeights,
      @Option(help = "held-out rows, as data_file; several sets as NAME=FILE,...")
          Optional<List<Path>> evalFile,
      @Option(value = "0", help = "rows of each data_file and eval_file entry to use; 0 = all")
          int maxSamples,
      @Option(
              help = "hold out a fraction (below 1) or number of examples",
              aliases = {"test_split_size", "val_size"})
          Optional<Double> evalSplit,
      @Option(value = "42", help = "random seed for eval_split") long evalSplitSeed,
      @Option(help = COLUMNS_HELP) Optional<List<String>> columns,
      @Option(value = "auto", help = "row format; auto detects it from the first row")
          RowFormat dataFormat,
      @Option(value = "1024", help = "max tokens of prompt plus completion; 0 = no limit")
          int maxLength,
      @Option(value = "keep_start", help = "end of longer rows to keep")
          TruncationMode truncationMode,
      @Option(help = "nll: learn completions only (default), or false for prompts too")
          Optional<Boolean> completionOnlyLoss,
      @Option(value = "false", help = "nll: learn the assistant's turns only")
          boolean assistantOnlyLoss,
      @Option(value = "false", help = "nll: fill sequences of max_length with several rows")
          boolean packing,
      @Option(value = "bfd", help = "how rows are packed") PackingStrategy packingStrategy,
      @Option(value = "stop", help = "stop at a bad row, or skip and count it") OnBadRow onBadRow,
      @Option(value = "true", help = "shuffle the examples in each epoch") boolean shuffle) {
    public Data {
      OptionChecks.atLeast("max_length", maxLength, 0, "0 means no truncation");
      dataWeights.ifPresent(weights -> OptionChecks.weightsFit(weights, dataFile.size()));
      OptionChecks.atLeast("max_samples", maxSamples, 0, "0 uses all rows");
      evalFile.ifPresent(EvaluationFiles::sets);
      evalSplit.ifPresent(OptionChecks::splitSize);
      if (evalSplit.isPresent() && evalFile.isPresent()) {
        throw new UsageException(
            "eval_split",
            OptionText.of("and {eval_file} both say what is held out"),
            "",
            "pass one of them");
      }
      DataInputs.columns(columns);
    }

    /** Which tokens of demonstrations are learned. */
    public Scoring scoring() {
      return new Scoring(!completionOnlyLoss.orElse(true), assistantOnlyLoss);
    }

    /** The files to train on; throws UsageException if one does not exist. */
    public DataInput training() {
      return limited(DataInputs.of("data_file", dataFile, columns, dataFormat));
    }

    /** A file, read as those of the run; throws UsageException if it does not exist. */
    public DataInput reading(Path file) {
      return DataInputs.of("data_file", List.of(file), columns, dataFormat);
    }

    /** The files of each evaluation set; throws UsageException if one does not exist. */
    public List<NamedInput> heldOut() {
      List<NamedInput> inputs = new ArrayList<>();
      EvaluationFiles.sets(evalFile.orElse(List.of()))
          .forEach(
              (name, paths) ->
                  inputs.add(
                      new NamedInput(
                          name, limited(DataInputs.of("eval_file", paths, columns, dataFormat)))));
      return inputs;
    }

    /** The names of the evaluation sets; an empty name for a single one, nothing for none. */
    public List<String> evaluationSets() {
      return evalSplit.isPresent()
          ? List.of("")
          : List.copyOf(EvaluationFiles.sets(evalFile.orElse(List.of())).keySet());
    }

    /** The input with as many rows of each entry as are used. */
    public DataInput limited(DataInput input) {
      return input.limited(maxSamples);
    }
  }

  /** The loss and the reference in it. */
  public record Loss(
      @Option(value = "sigmoid", help = "loss function(s); see docs/reference/losses.md")
          List<LossType> lossType,
      @Option(help = "weight of each loss (default 1)") Optional<List<Double>> lossWeights,
      @Option(value = "0.1", help = "KL strength: higher stays closer to the reference")
          double beta,
      @Option(value = "0", help = "assumed fraction of mislabeled pairs (cDPO)")
          double labelSmoothing,
      @Option(value = "reverse_kl", help = "divergence of f-DPO; see docs/reference/losses.md")
          FDivergence.Type fDivergenceType,
      @Option(value = "0.5", help = "alpha of alpha_divergence") double fAlphaDivergenceCoef,
      @Option(help = "LD-DPO weight of tokens past the shorter completion")
          Optional<Double> ldAlpha,
      @Option(value = "false", help = "weight pairs by policy probability (WPO)")
          boolean useWeighting,
      @Option(value = "0.05", help = "DiscoPOP temperature") double discopopTau,
      @Option(value = "50", help = "DPOP penalty when chosen gets less likely") double dpopLambda,
      @Option(value = "1", help = "ODPO factor of the margins of pairs") double odpoAlpha,
      @Option(value = "0.5", help = "SimPO target reward margin") double simpoGamma,
      @Option(value = "1", help = "CPO weight of the loss on chosen tokens") double cpoAlpha,
      @Option(value = "1", help = "weight of desirable completions (KTO)") double desirableWeight,
      @Option(value = "1", help = "weight of undesirable completions (KTO)")
          double undesirableWeight,
      @Option(help = "reference model (default: the start, or none)")
          Optional<ReferenceChoice> reference,
      @Option(help = "folder of a different reference model") Optional<Path> refModel,
      @Option(help = "reference log-prob cache folder (next to output_dir), or off")
          Optional<Path> referenceCache,
      @Option(value = "false", help = "update the reference during training (TR-DPO)")
          boolean syncRefModel,
      @Option(value = "0.6", help = "weight of the policy in each reference update")
          double refModelMixupAlpha,
      @Option(value = "512", help = "steps between reference updates") int refModelSyncSteps) {
    public Loss {
      OptionChecks.positive("beta", beta, "0.1 is usual");
      OptionChecks.labelSmoothing(labelSmoothing);
      OptionChecks.require(
          Double.isFinite(fAlphaDivergenceCoef),
          "f_alpha_divergence_coef",
          "a finite number",
          fAlphaDivergenceCoef,
          "0.5 is the default");
      OptionChecks.share("ld_alpha", ldAlpha.orElse(1.0), "1 weights nothing");
      OptionChecks.positive("discopop_tau", discopopTau, "0.05 is usual");
      OptionChecks.notNegative("dpop_lambda", dpopLambda, "50 is the paper's");
      OptionChecks.notNegative("odpo_alpha", odpoAlpha, "1 takes the margins as they are");
      OptionChecks.notNegative("simpo_gamma", simpoGamma, "0.5 is usual");
      OptionChecks.notNegative("cpo_alpha", cpoAlpha, "1 is usual");
      OptionChecks.positive("desirable_weight", desirableWeight, "1 is the default");
      OptionChecks.positive("undesirable_weight", undesirableWeight, "1 is the default");
      OptionChecks.share("ref_model_mixup_alpha", refModelMixupAlpha, "0.6 is usual");
      OptionChecks.atLeast("ref_model_sync_steps", refModelSyncSteps, 1, "512 is usual");
    }

    /** The numbers in the formulas. */
    public LossSettings settings() {
      return new LossSettings(
          beta,
          labelSmoothing,
          discopopTau,
          dpopLambda,
          odpoAlpha,
          simpoGamma,
          cpoAlpha,
          desirableWeight,
          undesirableWeight);
    }

    /** What the run minimizes. */
    public Objective objective() {
      return new Objective(
          LossRules.loss(lossType, lossWeights, settings()),
          new FDivergence(fDivergenceType, fAlphaDivergenceCoef),
          new LengthDesensitizing(ldAlpha.orElse(1.0)),
          useWeighting);
    }

    /** What the loss learns from. */
    public ExampleKind examples() {
      return objective().loss().examples();
    }

    /** Whether the loss reads the margins of pairs. */
    public boolean usesMargins() {
      return objective().loss().usesMargins();
    }

    /** Whether examples need mismatched completions. */
    public boolean usesKl() {
      return objective().loss() instanceof UnpairedLoss unpaired && unpaired.usesKl();
    }

    /** The configured reference; by default none if no loss needs one, else the start model. */
    public ReferenceChoice referenceChoice() {
      return reference.orElseGet(
          () ->
              objective().loss().reference() == ReferenceUse.NONE
                  ? ReferenceChoice.NONE
                  : ReferenceChoice.START);
    }
  }

  /** The optimizer, as PyTorch and transformers compute it. */
  public record Optimizer(
      @Option(value = "1e-6", help = "peak learning rate") double learningRate,
      @Option(value = "adamw_torch_fused", help = "adamw_bf16_moments, adafactor, lion_32bit")
          OptimType optim,
      @Option(value = "0", help = "weight decay; skips biases and norms") double weightDecay,
      @Option(value = "0.9", help = "beta1 of AdamW and Lion") double adamBeta1,
      @Option(value = "0.999", help = "beta2 of AdamW and Lion") double adamBeta2,
      @Option(value = "1e-8", help = "AdamW epsilon") double adamEpsilon,
      @Option(value = "1", help = "gradient clipping norm; 0 turns it off") double maxGradNorm,
      @Option(value = "stop", help = "stop at NaN or infinity, or skip the step") OnNan onNan,
      @Option(value = "10", help = "steps that on_nan skip may skip in a run") int onNanLimit) {
    public Optimizer {
      OptionChecks.notNegative("learning_rate", learningRate, "1e-6 is usual for a whole model");
      OptionChecks.notNegative("weight_decay", weightDecay, "0 turns it off");
      OptionChecks.require(
          0 <= adamBeta1 && adamBeta1 < 1, "adam_beta1", "in [0, 1)", adamBeta1, "0.9");
      OptionChecks.require(
          0 <= adamBeta2 && adamBeta2 < 1, "adam_beta2", "in [0, 1)", adamBeta2, "0.999");
      OptionChecks.notNegative("adam_epsilon", adamEpsilon, "1e-8 is usual");
      OptionChecks.notNegative("max_grad_norm", maxGradNorm, "0 turns clipping off");
      OptionChecks.atLeast("on_nan_limit", onNanLimit, 1, "10 is the default");
    }

    /** Steps that may be skipped because a number is not finite. */
    public int skipLimit() {
      return onNan == OnNan.SKIP ? onNanLimit : 0;
    }

    /** The settings of the optimizer apart from its rate. */
    public org.dpo4j.optim.Optimizer.Settings settings() {
      return switch (optim) {
        case ADAMW_TORCH, ADAMW_TORCH_FUSED ->
            new AdamW.Settings(adamBeta1, adamBeta2, adamEpsilon, weightDecay);
        case ADAMW_BF16_MOMENTS ->
            new AdamW.Settings(adamBeta1, adamBeta2, adamEpsilon, weightDecay, true);
        case ADAFACTOR -> new Adafactor.Settings(weightDecay);
        case LION_32BIT -> new Lion.Settings(adamBeta1, adamBeta2, weightDecay);
      };
    }
  }

  /** How long to train and how the learning rate moves. */
  public record Schedule(
      @Option(value = "3", help = "training epochs; fractions allowed") double numTrainEpochs,
      @Option(value = "-1", help = "optimizer steps; overrides num_train_epochs when above 0")
          int maxSteps,
      @Option(value = "linear", help = "schedule; see docs/reference/schedules.md")
          LrSchedulerType lrSchedulerType,
      @Option(help = "settings of lr_scheduler_type: {\"min_lr_rate\": 0.1}")
          Optional<Map<String, Object>> lrSchedulerKwargs,
      @Option(value = "0", help = "warmup steps; below 1 a fraction of all steps")
          double warmupSteps,
      @Option(value = "0", help = "warmup as a fraction of all steps") double warmupRatio) {
    public Schedule {
      lrSchedulerKwargs =
          lrSchedulerKwargs.map(Schedule::given).filter(settings -> !settings.isEmpty());
      OptionChecks.require(
          maxSteps == -1 || maxSteps > 0,
          "max_steps",
          "above 0, or -1 for as many as num_train_epochs takes",
          maxSteps,
          "pass a number of optimizer steps");
      if (maxSteps == -1) {
        OptionChecks.positive("num_train_epochs", numTrainEpochs, "1 to 3 is usual");
      }
      OptionChecks.require(
          warmupSteps >= 0 && (warmupSteps < 1 || warmupSteps == Math.rint(warmupSteps)),
          "warmup_steps",
          "a whole number from 0, or a share of all steps below 1",
          warmupSteps,
          "for example 10, or 0.1");
      OptionChecks.require(
          warmupRatio >= 0 && warmupRatio <= 1,
          "warmup_ratio",
          "between 0 and 1",
          warmupRatio,
          "0.1 is usual");
      if (warmupSteps > 0 && warmupRatio > 0) {
        throw new UsageException(
            "warmup_steps",
            OptionText.of("and {warmup_ratio} say the same in two ways"),
            "",
            "pass one of them");
      }
    }

    /** The settings that are not null, which stands for the default. */
    private static Map<String, Object> given(Map<String, Object> settings) {
      Map<String, Object> given = new TreeMap<>(settings);
      given.values().removeIf(Objects::isNull);
      return Collections.unmodifiableMap(given);
    }

    private ScheduleSettings settings(Optimizer optimizer) {
      return new ScheduleSettings(
          lrSchedulerType, lrSchedulerKwargs.orElseGet(Map::of), optimizer.learningRate());
    }

    /** Warm-up in steps of a run of {@code steps} steps, rounded up as transformers does. */
    public int warmup(int steps) {
      if (warmupSteps >= 1) {
        return (int) warmupSteps;
      }
      return (int) Math.ceil(steps * Math.max(warmupSteps, warmupRatio));
    }
  }

  /** How examples form steps: those of a step are the product of the two. */
  public record Batching(
      @Option(value = "8", help = "examples per micro-batch") int perDeviceTrainBatchSize,
      @Option(value = "1", help = "micro-batches per optimizer step") int gradientAccumulationSteps,
      @Option(value = "false", help = "lower the micro-batch to what fits into memory")
          boolean autoFindBatchSize) {
    public Batching {
      OptionChecks.atLeast("per_device_train_batch_size", perDeviceTrainBatchSize, 1, "8 is usual");
      OptionChecks.atLeast(
          "gradient_accumulation_steps", gradientAccumulationSteps, 1, "1 means no accumulation");
    }

    /** Examples of a whole step. */
    public long examplesOfStep() {
      return (long) perDeviceTrainBatchSize * gradientAccumulationSteps;
    }
  }

  /** When and how to evaluate on the held-out examples. */
  public record Evaluation(
      @Option(value = "no", help = "when to evaluate, besides before step 1")
          EvalStrategy evalStrategy,
      @Option(help = "steps between evaluations (default logging_steps)")
          Optional<StepInterval> evalSteps,
      @Option(value = "8", help = "examples per evaluation batch") int perDeviceEvalBatchSize) {
    public Evaluation {
      OptionChecks.atLeast("per_device_eval_batch_size", perDeviceEvalBatchSize, 1, "8 is usual");
    }
  }

  /** What is written. */
  public record Output(
      @Option(help = "folder for the tuned model and its reports") Path outputDir,
      @Option(value = "false", help = "replace the output of an earlier run")
          boolean overwriteOutputDir,
      @Option(value = "auto", help = "type of saved weights") SaveDtype saveDtype,
      @Option(value = "10", help = "steps between log lines; below 1 a fraction of the run")
          StepInterval loggingSteps,
      @Option(value = "table", help = "format of log lines; dict is TRL's") LogFormat logFormat,
      @Option(value = "none", help = "event files or MLflow server") List<Tracker> reportTo,
      @Option(help = "name of the run in MLflow (default: end of output_dir)")
          Optional<String> runName,
      @Option(value = "true", help = "record the margins of each pair in ledger.jsonl")
          boolean ledger,
      @Option(value = "3", help = "prompts answered for the model card: a number, or a file")
          CountOrFile samplePrompts,
      @Option(value = "false", help = "show the run live in a browser: true, or a port")
          LoopbackPort ui) {

    /** Whether TensorBoard reads the metrics of the run. */
    public boolean tensorBoard() {
      return reportTo.contains(Tracker.TENSORBOARD);
    }

    /** Whether the metrics of the run are sent to an MLflow server. */
    public boolean mlflow() {
      return reportTo.contains(Tracker.MLFLOW);
    }
  }

  /** When checkpoints are saved, which one is the best, and from which one a run continues. */
  public record Checkpoints(
      @Option(value = "steps", help = "when to save a checkpoint") SaveStrategy saveStrategy,
      @Option(value = "500", help = "steps between checkpoints; below 1 a fraction of the run")
          StepInterval saveSteps,
      @Option(value = "2", help = "checkpoints to keep; 0 = all") int saveTotalLimit,
      @Option(value = "false", help = "checkpoints without optimizer: cannot be resumed")
          boolean saveOnlyModel,
      @Option(value = "false", help = "save the best checkpoint's weights, not the last ones")
          boolean loadBestModelAtEnd,
      @Option(help = "held-out metric that decides what is best (default loss)")
          Optional<String> metricForBestModel,
      @Option(help = "whether a higher metric is better (default: if not a loss)")
          Optional<Boolean> greaterIsBetter,
      @Option(help = "checkpoint folder to continue from, or true for the newest")
          Optional<String> resumeFromCheckpoint,
      @Option(value = "0", help = "evaluations without improvement before a stop; 0 = never")
          int earlyStoppingPatience,
      @Option(value = "0", help = "smallest change of the metric that is an improvement")
          double earlyStoppingThreshold,
      @Option(help = "diagnoses that stop the run, as unstable (default none)")
          Optional<List<Guard>> guard) {
    public Checkpoints {
      OptionChecks.atLeast("save_total_limit", saveTotalLimit, 0, "0 keeps all");
      OptionChecks.atLeast("early_stopping_patience", earlyStoppingPatience, 0, "0 never stops");
      OptionChecks.notNegative("early_stopping_threshold", earlyStoppingThreshold, "0 is usual");
    }

    private void check(EvalStrategy evalStrategy, boolean heldOut) {
      boolean evaluates = evalStrategy != EvalStrategy.NO;
      if (saveStrategy == SaveStrategy.BEST && !evaluates) {
        throw needsEvaluation("save_strategy", "best", heldOut);
      }
      if (earlyStoppingPatience > 0 && !evaluates) {
        throw needsEvaluation(
            "early_stopping_patience", Integer.toString(earlyStoppingPatience), heldOut);
      }
      if (loadBestModelAtEnd && !evaluates) {
        throw needsEvaluation("load_best_model_at_end", "true", heldOut);
      }
      boolean aligned =
          saveStrategy == SaveStrategy.BEST
              || OptionType.text(saveStrategy).equals(OptionType.text(evalStrategy));
      if (loadBestModelAtEnd && !aligned) {
        throw new UsageException(
            "load_best_model_at_end",
            OptionText.of("needs a checkpoint of each evaluation that may be the best"),
            OptionText.of(
                "{save_strategy} was %s and {eval_strategy} %s",
                OptionType.text(saveStrategy), OptionType.text(evalStrategy)),
            OptionText.of("pass {save_strategy} best"));
      }
    }

    private static UsageException needsEvaluation(String option, String value, boolean heldOut) {
      return new UsageException(
          option,
          "%s needs evaluations of held-out rows during training".formatted(value),
          "",
          OptionText.of(
              heldOut
                  ? "pass {eval_strategy} steps"
                  : "pass {eval_strategy} steps and {eval_file} FILE or {eval_split} 0.1"));
    }

    /**
     * Steps between checkpoints of a run.
     *
     * @param evalSteps steps between evaluations
     * @throws UsageException if the best checkpoint is wanted and some evaluation has none
     */
    public int interval(int maxSteps, int evalSteps) {
      int interval = saveSteps.steps(maxSteps);
      if (loadBestModelAtEnd && saveStrategy == SaveStrategy.STEPS && interval % evalSteps != 0) {
        throw new UsageException(
            "save_steps",
            OptionText.of(
                "must be a multiple of {eval_steps} (%d) with {load_best_model_at_end}", evalSteps),
            "was %d".formatted(interval),
            OptionText.of("pass {save_strategy} best, or {save_steps} %d", evalSteps));
      }
      return interval;
    }

    /** The diagnoses that stop the run. */
    public List<Guard> guards() {
      return guard.orElse(List.of());
    }

    /** Refuses a diagnosis that can never appear. */
    private void checkGuards(
        EvalStrategy evalStrategy, boolean heldOut, ExampleKind kind, boolean startsAtReference) {
      for (Guard guarded : guards()) {
        String name = OptionType.text(guarded);
        if (guarded.ofPairs() && kind != ExampleKind.PAIRS) {
          throw new UsageException(
              "guard",
              "%s is diagnosed of pairs alone".formatted(name),
              "the loss learns from %ss".formatted(kind.noun()),
              "only no_gradient can appear here");
        }
        if (guarded.ofEvaluations() && evalStrategy == EvalStrategy.NO) {
          throw needsEvaluation("guard", name, heldOut);
        }
        if (guarded == Guard.NOT_AT_REFERENCE && !startsAtReference) {
          throw new UsageException(
              "guard",
              "not_at_reference needs a run that starts at its reference",
              "this one has another or none",
              "leave it out");
        }
      }
    }

    /** Whether the best evaluation matters. */
    public boolean tracksBest() {
      return loadBestModelAtEnd
          || saveStrategy == SaveStrategy.BEST
          || earlyStoppingPatience > 0
          || metricForBestModel.isPresent();
    }

    /** Whether the run continues an earlier one. */
    public boolean resumes() {
      return resumeFromCheckpoint.isPresent();
    }

    /** The folder to continue from; empty for the newest checkpoint of the output folder. */
    public Optional<Path> resumedFolder() {
      return resumeFromCheckpoint
          .filter(text -> !text.equalsIgnoreCase("true"))
          .map(InputPaths::checkpoint);
    }
  }

  /** The machine's side. */
  public record Engine(
      @Option(value = "42", help = "random seed") long seed,
      @Option(value = "cpu", help = Devices.HELP) DeviceName device,
      @Option(value = "0", help = "CPU threads; 0 uses all cores") int threads,
      @Option(value = "false", help = "bfloat16 matrix products, where faster") boolean bf16,
      @Option(value = "false", help = "recompute activations in the backward pass: less memory")
          boolean gradientCheckpointing,
      @Option(value = "cpu", help = "hand-written passes or autograd (slower)") EngineType engine,
      @Option(value = "1800", help = "longest wait for other processes of the run, in seconds")
          int ddpTimeout) {

    /**
     * The device of weights and passes.
     *
     * @throws UsageException if this machine does not have it
     */
    public ComputeDevice computeDevice() {
      return Devices.of(device);
    }

    /**
     * The computation that these settings select on this machine. The hand-written passes are for
     * the processor.
     */
    public Computation computation() {
      boolean gpu = !computeDevice().isCpu();
      return new Computation(
          bf16 && (gpu || org.dpo4j.torch.Engine.bf16IsFast()),
          gradientCheckpointing,
          gpu ? LogProbEngine.autograd() : engine.engine());
    }

    public Engine {
      OptionChecks.threads(threads);
      OptionChecks.atLeast("ddp_timeout", ddpTimeout, 1, "1800 is the default");
    }
  }
}
