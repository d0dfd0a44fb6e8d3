package org.dpo4j.run;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.UsageException;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.RowFormat;
import org.dpo4j.encode.OnBadRow;
import org.dpo4j.logprob.TailWeight;
import org.dpo4j.loss.FDivergence;
import org.dpo4j.loss.Objective;
import org.dpo4j.loss.ReferenceNeed;
import org.dpo4j.report.LogFormat;
import org.dpo4j.train.Computation;

/**
 * Everything that decides a training run, as immutable values: defaults are those of TRL 1.16 and
 * transformers 5.23 but for the differences listed in {@code docs/reference/trl.md}.
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
    Loss loss,
    Optimizer optimizer,
    Schedule schedule,
    Batching batching,
    Evaluation evaluation,
    Output output,
    Engine engine) {

  /** The table of all options of a training run. */
  public static final OptionTable<TrainingConfig> OPTIONS = OptionTable.of(TrainingConfig.class);

  static final String DATA_HELP = "files or folders: .jsonl .json .csv .tsv .parquet";

  static final String COLUMNS_HELP = "names in the files, as in prompt=question,chosen=good";

  public TrainingConfig {
    if (evaluation.evalStrategy() != EvalStrategy.NO
        && data.evalFile().isEmpty()
        && data.evalSplit().isEmpty()) {
      throw new UsageException(
          "--eval_strategy %s needs held-out pairs; pass --eval_file FILE or --eval_split 0.1"
              .formatted(OptionType.text(evaluation.evalStrategy())));
    }
    LossRules.check(loss);
    boolean trainsAdapter = lora.usePeft() || model.adapter().isPresent();
    if (loss.referenceChoice() == ReferenceChoice.BASE && !trainsAdapter) {
      throw new UsageException(
          "--reference base means the model with its adapter off and needs --adapter DIR or"
              + " --use_peft; without an adapter use --reference start");
    }
    if (!lora.disableDropout() && !trainsAdapter) {
      throw new UsageException(
          "--disable_dropout false lets an adapter's dropout act and needs --adapter DIR or"
              + " --use_peft; the model's own dropout is always off here");
    }
    if (loss.syncRefModel() && trainsAdapter) {
      throw new UsageException(
          "--sync_ref_model moves a whole model towards the policy and does not work with %s;"
                  .formatted(lora.usePeft() ? "--use_peft" : "--adapter")
              + " leave out one of them");
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

  /** Steps between evaluations when {@code eval_strategy} is steps: as logging_steps if not set. */
  public StepInterval evalInterval() {
    return evaluation.evalSteps().orElse(output.loggingSteps());
  }

  /** Optimizer steps of the whole run. */
  int steps(EpochPlan plan) {
    return schedule.maxSteps() > 0
        ? schedule.maxSteps()
        : (int) Math.ceil(schedule.numTrainEpochs() * plan.stepsPerEpoch());
  }

  /** Whether an adapter is trained, new or continued, and the model's own weights are not. */
  public boolean trainsAdapter() {
    return lora.usePeft() || model.adapter().isPresent();
  }

  /**
   * Whether policy and reference compute the same before the first step. A new adapter adds nothing
   * yet; one that was trained does, and dropout then changes what it adds.
   */
  public boolean startsAtReference() {
    ReferenceChoice reference = loss.referenceChoice();
    boolean plainStart = model.adapter().isEmpty();
    return loss.refModel().isEmpty()
        && reference != ReferenceChoice.NONE
        && (plainStart || (reference == ReferenceChoice.START && lora.disableDropout()));
  }

  /** Checks that what the options name is there; throws UsageException naming the option. */
  public void checkInputs() {
    InputPaths.requireModel("model", model.model());
    model.adapter().ifPresent(InputPaths::requireAdapter);
    loss.refModel().ifPresent(path -> InputPaths.requireModel("ref_model", path));
    data.training();
    data.heldOut();
    CacheFolder.of(this);
  }

  /** The model that is trained. */
  public record Model(
      @Option(
              help = "checkpoint folder to start from, Hugging Face layout",
              aliases = "model_name_or_path")
          Path model,
      @Option(help = "folder of a LoRA adapter to go on with") Optional<Path> adapter) {}

  /** The LoRA adapter that is trained; one of {@code --adapter} decides what is not given here. */
  public record Lora(
      @Option(value = "false", help = "train a LoRA adapter, not the model's own weights")
          boolean usePeft,
      @Option(help = "rank of the adapter (else 16)") Optional<Integer> loraR,
      @Option(help = "numerator of the adapter's scale (else 32)") Optional<Double> loraAlpha,
      @Option(help = "share of its input that the adapter does not see (else 0.05)")
          Optional<Double> loraDropout,
      @Option(help = "names of layers, all-linear or a pattern (else PEFT's)")
          Optional<List<String>> loraTargetModules,
      @Option(help = "modules whose own weights are trained as well")
          Optional<List<String>> loraModulesToSave,
      @Option(help = "other ranks, as q_proj=8,v_proj=4") Optional<List<String>> loraRankPattern,
      @Option(help = "other alphas, as q_proj=16") Optional<List<String>> loraAlphaPattern,
      @Option(value = "false", help = "scale by the root of the rank") boolean useRslora,
      @Option(value = "true", help = "false: lora_dropout acts in training; the model has none")
          boolean disableDropout) {
    public Lora {
      loraR.ifPresent(rank -> Rule.atLeast("lora_r", rank, 1, "16 is usual"));
      loraAlpha.ifPresent(alpha -> Rule.positive("lora_alpha", alpha, "twice the rank is usual"));
      loraDropout.ifPresent(
          share ->
              Rule.require(
                  share >= 0 && share < 1, "lora_dropout", "in [0, 1)", share, "0.05 is usual"));
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

  /** The pairs and what becomes of them. */
  public record Data(
      @Option(help = DATA_HELP) List<Path> dataFile,
      @Option(help = "shares of the entries of data_file in a mixture")
          Optional<List<Double>> dataWeights,
      @Option(help = "held-out pairs, in the same formats") Optional<List<Path>> evalFile,
      @Option(
              help = "held out of data_file: a share below 1, or a number",
              aliases = {"test_split_size", "val_size"})
          Optional<Double> evalSplit,
      @Option(value = "42", help = "decides which pairs eval_split holds out") long evalSplitSeed,
      @Option(help = COLUMNS_HELP) Optional<List<String>> columns,
      @Option(value = "auto", help = "what the columns mean; auto: as the first row shows")
          RowFormat dataFormat,
      @Option(value = "1024", help = "ids of prompt and completion kept; 0: no truncation")
          int maxLength,
      @Option(value = "stop", help = "what a row that cannot be used does") OnBadRow onBadRow,
      @Option(value = "true", help = "a new order of the pairs in each epoch, from the seed")
          boolean shuffle) {
    public Data {
      Rule.atLeast("max_length", maxLength, 0, "0 means no truncation");
      dataWeights.ifPresent(weights -> Rule.weightsFit(weights, dataFile.size()));
      evalSplit.ifPresent(Rule::splitSize);
      if (evalSplit.isPresent() && evalFile.isPresent()) {
        throw new UsageException(
            "--eval_split and --eval_file both say what is held out; pass one of them");
      }
      DataInputs.columns(columns);
    }

    /** The files to train on; throws UsageException if one is not there. */
    DataInput training() {
      return DataInputs.of("data_file", dataFile, columns, dataFormat);
    }

    /** The files to evaluate on; throws UsageException if one is not there. */
    Optional<DataInput> heldOut() {
      return evalFile.map(paths -> DataInputs.of("eval_file", paths, columns, dataFormat));
    }
  }

  /** The loss and the reference in it. */
  public record Loss(
      @Option(value = "sigmoid", help = "the loss, or several; docs/reference/losses.md")
          List<LossType> lossType,
      @Option(help = "weight of each loss (else 1)") Optional<List<Double>> lossWeights,
      @Option(value = "0.1", help = "strength of the pull towards the reference") double beta,
      @Option(value = "0", help = "share of pairs taken as labelled the wrong way (cDPO)")
          double labelSmoothing,
      @Option(value = "reverse_kl", help = "f-DPO's divergence; docs/reference/losses.md")
          FDivergence.Type fDivergenceType,
      @Option(value = "0.5", help = "alpha of the alpha_divergence") double fAlphaDivergenceCoef,
      @Option(help = "weight of tokens beyond the shorter completion (LD-DPO)")
          Optional<Double> ldAlpha,
      @Option(value = "false", help = "pairs the policy would write count more (WPO)")
          boolean useWeighting,
      @Option(value = "0.05", help = "temperature of discopop") double discopopTau,
      @Option(value = "50", help = "dpop: price of chosen getting less likely") double dpopLambda,
      @Option(value = "0.5", help = "target reward margin of simpo") double simpoGamma,
      @Option(value = "1", help = "weight of cpo's loss on the chosen tokens") double cpoAlpha,
      @Option(help = "the reference; else start, or none") Optional<ReferenceChoice> reference,
      @Option(help = "folder of another checkpoint as the reference") Optional<Path> refModel,
      @Option(help = "keeps the reference's numbers (else beside output_dir); off: none")
          Optional<Path> referenceCache,
      @Option(value = "false", help = "let the reference follow the policy (TR-DPO)")
          boolean syncRefModel,
      @Option(value = "0.6", help = "the policy's share when it follows") double refModelMixupAlpha,
      @Option(value = "512", help = "steps until it follows again") int refModelSyncSteps) {
    public Loss {
      Rule.positive("beta", beta, "0.1 is usual");
      Rule.labelSmoothing(labelSmoothing);
      Rule.require(
          Double.isFinite(fAlphaDivergenceCoef),
          "f_alpha_divergence_coef",
          "a finite number",
          fAlphaDivergenceCoef,
          "0.5 is the default");
      Rule.share("ld_alpha", ldAlpha.orElse(1.0), "1 weights nothing");
      Rule.positive("discopop_tau", discopopTau, "0.05 is usual");
      Rule.notNegative("dpop_lambda", dpopLambda, "50 is the paper's");
      Rule.notNegative("simpo_gamma", simpoGamma, "0.5 is usual");
      Rule.notNegative("cpo_alpha", cpoAlpha, "1 is usual");
      Rule.share("ref_model_mixup_alpha", refModelMixupAlpha, "0.6 is usual");
      Rule.atLeast("ref_model_sync_steps", refModelSyncSteps, 1, "512 is usual");
    }

    /** The numbers in the formulas. */
    LossSettings settings() {
      return new LossSettings(beta, labelSmoothing, discopopTau, dpopLambda, simpoGamma, cpoAlpha);
    }

    /** What the run makes small. */
    public Objective objective() {
      return new Objective(
          LossRules.loss(lossType, lossWeights, settings()),
          new FDivergence(fDivergenceType, fAlphaDivergenceCoef),
          new TailWeight(ldAlpha.orElse(1.0)),
          useWeighting);
    }

    /** The reference that was asked for; else none where no loss needs one, and the start. */
    public ReferenceChoice referenceChoice() {
      return reference.orElseGet(
          () ->
              objective().loss().reference() == ReferenceNeed.NONE
                  ? ReferenceChoice.NONE
                  : ReferenceChoice.START);
    }
  }

  /** AdamW, as PyTorch computes it. */
  public record Optimizer(
      @Option(value = "1e-6", help = "the highest learning rate of the schedule")
          double learningRate,
      @Option(value = "0", help = "AdamW's decay; biases and norm weights are spared")
          double weightDecay,
      @Option(value = "0.9", help = "decay of the mean of gradients") double adamBeta1,
      @Option(value = "0.999", help = "decay of the mean of squared gradients") double adamBeta2,
      @Option(value = "1e-8", help = "added to the root of the squared gradients")
          double adamEpsilon,
      @Option(value = "1", help = "gradients above this norm are scaled down; 0: never")
          double maxGradNorm) {
    public Optimizer {
      Rule.notNegative("learning_rate", learningRate, "1e-6 is usual for a whole model");
      Rule.notNegative("weight_decay", weightDecay, "0 turns it off");
      Rule.require(0 <= adamBeta1 && adamBeta1 < 1, "adam_beta1", "in [0, 1)", adamBeta1, "0.9");
      Rule.require(0 <= adamBeta2 && adamBeta2 < 1, "adam_beta2", "in [0, 1)", adamBeta2, "0.999");
      Rule.notNegative("adam_epsilon", adamEpsilon, "1e-8 is usual");
      Rule.notNegative("max_grad_norm", maxGradNorm, "0 turns clipping off");
    }
  }

  /** How long to train and how the learning rate moves. */
  public record Schedule(
      @Option(value = "3", help = "passes over the pairs; fractions allowed") double numTrainEpochs,
      @Option(value = "-1", help = "optimizer steps; above 0: instead of num_train_epochs")
          int maxSteps,
      @Option(value = "linear", help = "schedule") LrSchedulerType lrSchedulerType,
      @Option(value = "0", help = "steps of rising rate; below 1: a share of all steps")
          double warmupSteps,
      @Option(value = "0", help = "the same as a share of all steps") double warmupRatio) {
    public Schedule {
      Rule.require(
          maxSteps == -1 || maxSteps > 0,
          "max_steps",
          "above 0, or -1 for as many as num_train_epochs takes",
          maxSteps,
          "pass a number of optimizer steps");
      if (maxSteps == -1) {
        Rule.positive("num_train_epochs", numTrainEpochs, "1 to 3 is usual");
      }
      Rule.require(
          warmupSteps >= 0 && (warmupSteps < 1 || warmupSteps == Math.rint(warmupSteps)),
          "warmup_steps",
          "a whole number from 0, or a share of all steps below 1",
          warmupSteps,
          "for example 10, or 0.1");
      Rule.require(
          warmupRatio >= 0 && warmupRatio <= 1,
          "warmup_ratio",
          "between 0 and 1",
          warmupRatio,
          "0.1 is usual");
      if (warmupSteps > 0 && warmupRatio > 0) {
        throw new UsageException(
            "--warmup_steps and --warmup_ratio say the same in two ways; pass one of them");
      }
    }

    /** Warm-up in steps of a run of {@code steps} steps, rounded up as transformers does. */
    public int warmup(int steps) {
      if (warmupSteps >= 1) {
        return (int) warmupSteps;
      }
      return (int) Math.ceil(steps * Math.max(warmupSteps, warmupRatio));
    }
  }

  /** How pairs become steps: a step is the product of the two. */
  public record Batching(
      @Option(value = "8", help = "pairs in a micro-batch") int perDeviceTrainBatchSize,
      @Option(value = "1", help = "micro-batches in a step") int gradientAccumulationSteps) {
    public Batching {
      Rule.atLeast("per_device_train_batch_size", perDeviceTrainBatchSize, 1, "8 is usual");
      Rule.atLeast(
          "gradient_accumulation_steps", gradientAccumulationSteps, 1, "1 means no accumulation");
    }
  }

  /** When and how to evaluate on the held-out pairs. */
  public record Evaluation(
      @Option(value = "no", help = "when, besides before step 1") EvalStrategy evalStrategy,
      @Option(help = "steps between, or a share of the run (else logging_steps)")
          Optional<StepInterval> evalSteps,
      @Option(value = "8", help = "pairs in a batch of an evaluation") int perDeviceEvalBatchSize) {
    public Evaluation {
      Rule.atLeast("per_device_eval_batch_size", perDeviceEvalBatchSize, 1, "8 is usual");
    }
  }

  /** What is written. */
  public record Output(
      @Option(help = "folder for the tuned checkpoint and its records") Path outputDir,
      @Option(value = "false", help = "replace the folder if it is not empty")
          boolean overwriteOutputDir,
      @Option(value = "auto", help = "type of the saved weights") SaveDtype saveDtype,
      @Option(value = "10", help = "steps between two log lines, or a share of the run")
          StepInterval loggingSteps,
      @Option(value = "table", help = "form of the log lines; dict: TRL's") LogFormat logFormat,
      @Option(value = "3", help = "prompts answered before and after, for the model card")
          int samplePrompts) {
    public Output {
      Rule.atLeast("sample_prompts", samplePrompts, 0, "0 means no sample answers");
    }
  }

  /** The machine's side. */
  public record Engine(
      @Option(value = "42", help = "decides the order of the pairs and any other chance") long seed,
      @Option(value = "cpu", help = "where to compute") Device device,
      @Option(value = "0", help = "threads of tokenizing and of the engine; 0: one for each core")
          int threads,
      @Option(value = "false", help = "multiply matrices in bf16, where that is faster")
          boolean bf16,
      @Option(value = "false", help = "compute blocks again on the way back, to save memory")
          boolean gradientCheckpointing) {

    /** What that comes to on this machine. */
    Computation computation() {
      return new Computation(bf16 && org.dpo4j.torch.Engine.bf16IsFast(), gradientCheckpointing);
    }

    public Engine {
      Rule.threads(threads);
    }
  }
}
