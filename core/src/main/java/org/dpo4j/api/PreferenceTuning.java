package org.dpo4j.api;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.dpo4j.Cancellation;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingResult;
import org.dpo4j.UsageException;
import org.dpo4j.config.EvaluationFiles;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.config.TrainingOptions;
import org.dpo4j.options.GivenValue;
import org.dpo4j.options.YamlOptions;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.dpo4j.run.ProgramInputs;
import org.dpo4j.run.TrainingRun;
import org.jspecify.annotations.Nullable;

/**
 * Tunes a language model on preference pairs, labelled completions or demonstrations; the {@link
 * #loss} says which.
 *
 * <pre>{@code
 * TrainingResult result =
 *     PreferenceTuning.of(Path.of("qwen2.5-0.5b"), Path.of("pairs.jsonl"))
 *         .loss(Losses.sigmoid(0.1))
 *         .learningRate(5e-7)
 *         .epochs(1)
 *         .evalSplit(0.05)
 *         .listener(report -> log.info("{}", report))
 *         .train(Path.of("out"));
 * }</pre>
 *
 * <p>There is a method for each option of the command {@code train}, with the same name in camel
 * case, the same default and the same rules. A wrong value or combination is a {@link
 * UsageException} when the run starts; {@link UsageException#option} names the option.
 *
 * <p>Immutable: every method returns a changed copy, so that one description can start many runs,
 * from any number of threads.
 */
public final class PreferenceTuning {

  /** In place of the paths of files. */
  private static final Path EXAMPLES = Path.of("examples");

  private static final Path HELD_OUT = Path.of("held-out examples");

  private static final List<String> LOSS_OPTIONS =
      List.of(
          "loss_type",
          "loss_weights",
          "beta",
          "label_smoothing",
          "discopop_tau",
          "dpop_lambda",
          "odpo_alpha",
          "simpo_gamma",
          "cpo_alpha",
          "desirable_weight",
          "undesirable_weight");

  private final Map<String, GivenValue> file;
  private final Map<String, GivenValue> options;
  private final @Nullable Iterable<? extends TrainingExample> examples;
  private final @Nullable Iterable<? extends TrainingExample> heldOut;
  private final @Nullable Tokenizer tokenizer;
  private final @Nullable ChatTemplate chatTemplate;
  private final List<TrainingListener> listeners;
  private final Cancellation cancellation;
  private final PrintStream out;
  private final PrintStream err;

  private PreferenceTuning(Fields fields) {
    file = fields.file;
    options = new LinkedHashMap<>(fields.options);
    examples = fields.examples;
    heldOut = fields.heldOut;
    tokenizer = fields.tokenizer;
    chatTemplate = fields.chatTemplate;
    listeners = List.copyOf(fields.listeners);
    cancellation = fields.cancellation;
    out = fields.out;
    err = fields.err;
  }

  /** A copy of the fields that can be changed. */
  private static final class Fields {
    private Map<String, GivenValue> file = Map.of();
    private Map<String, GivenValue> options = new LinkedHashMap<>();
    private @Nullable Iterable<? extends TrainingExample> examples;
    private @Nullable Iterable<? extends TrainingExample> heldOut;
    private @Nullable Tokenizer tokenizer;
    private @Nullable ChatTemplate chatTemplate;
    private List<TrainingListener> listeners = new ArrayList<>();
    private Cancellation cancellation = new Cancellation();
    private PrintStream out = new PrintStream(OutputStream.nullOutputStream(), false, UTF_8);
    private PrintStream err = out;
  }

  private PreferenceTuning changed(Consumer<Fields> change) {
    Fields fields = new Fields();
    fields.file = file;
    fields.options = new LinkedHashMap<>(options);
    fields.examples = examples;
    fields.heldOut = heldOut;
    fields.tokenizer = tokenizer;
    fields.chatTemplate = chatTemplate;
    fields.listeners = new ArrayList<>(listeners);
    fields.cancellation = cancellation;
    fields.out = out;
    fields.err = err;
    change.accept(fields);
    return new PreferenceTuning(fields);
  }

  /**
   * Tunes a model on the examples of files.
   *
   * @param model folder in Hugging Face format
   * @param files files or folders of examples: JSON Lines, JSON, CSV, TSV, Parquet
   * @return a run that is not started yet
   */
  public static PreferenceTuning of(Path model, Path... files) {
    return on(model).with("data_file", List.of(files));
  }

  /**
   * Tunes a model on examples from memory.
   *
   * @param model folder in Hugging Face format
   * @param examples all of one kind (text, conversations or ids); iterated once for each run,
   *     before its first step
   * @return a run that is not started yet
   */
  public static PreferenceTuning of(Path model, Iterable<? extends TrainingExample> examples) {
    return on(model).with("data_file", EXAMPLES).changed(fields -> fields.examples = examples);
  }

  /**
   * Tunes a model on a stream of examples, which can be read once: for a single run.
   *
   * @param model folder in Hugging Face format
   * @param examples all of one kind (text, conversations or ids); read before the first step, and
   *     never held in memory as a whole
   * @return a run that is not started yet
   */
  public static PreferenceTuning of(Path model, Stream<? extends TrainingExample> examples) {
    return of(model, once(examples));
  }

  /** What was set, by the names of the options; for tests. */
  Map<String, GivenValue> options() {
    return options;
  }

  private static PreferenceTuning on(Path model) {
    return new PreferenceTuning(new Fields()).with("model", model);
  }

  @SuppressWarnings("StreamToIterable") // documented: for a single run
  private static <E extends TrainingExample> Iterable<E> once(Stream<E> examples) {
    return examples::iterator;
  }

  /**
   * Takes model, pairs and settings from a YAML file, such as the {@code dpo4j.yaml} that every run
   * writes into its output folder.
   *
   * @param yaml options by the names of the command; methods called afterwards replace them
   * @return a run that is not started yet
   * @throws UsageException if the file cannot be read
   */
  public static PreferenceTuning fromConfig(Path yaml) {
    Map<String, GivenValue> given = YamlOptions.read(yaml);
    return new PreferenceTuning(new Fields()).changed(fields -> fields.file = given);
  }

  /**
   * Sets an option by the name that it has in the command and in YAML files.
   *
   * @param name in snake case, such as {@code learning_rate}
   * @param value a text, a number, a boolean, a path, or a list of these
   * @return a changed copy
   */
  public PreferenceTuning option(String name, Object value) {
    return with(name, value);
  }

  /**
   * Sets the loss, or several of which the weighted sum is minimized. The losses of a sum share
   * their settings: each setting must have one value.
   *
   * @param losses from {@link Losses}; plain DPO with beta 0.1 by default
   * @return a changed copy
   * @throws UsageException if two losses give one setting different values
   */
  public PreferenceTuning loss(Loss... losses) {
    Map<String, Double> settings = new LinkedHashMap<>();
    for (Loss loss : losses) {
      loss.settings().forEach((name, value) -> addSetting(settings, name, value));
    }
    List<Double> weights = Arrays.stream(losses).map(Loss::weight).toList();
    PreferenceTuning changed =
        changed(fields -> LOSS_OPTIONS.forEach(fields.options::remove))
            .with("loss_type", Arrays.stream(losses).map(Loss::type).toList());
    if (weights.stream().anyMatch(weight -> weight != 1)) {
      changed = changed.with("loss_weights", weights);
    }
    for (Map.Entry<String, Double> setting : settings.entrySet()) {
      changed = changed.with(setting.getKey(), setting.getValue());
    }
    return changed;
  }

  private static void addSetting(Map<String, Double> settings, String name, double value) {
    Double other = settings.put(name, value);
    if (other != null && other != value) {
      throw new UsageException(
          "%s must be the same for all losses of a sum but was %s and %s; give them one value"
              .formatted(name, other, value));
    }
  }

  /**
   * {@link #numTrainEpochs} under its short name.
   *
   * @param value positive, fractions allowed
   * @return a changed copy
   */
  public PreferenceTuning epochs(double value) {
    return numTrainEpochs(value);
  }

  /**
   * Evaluates on examples from memory.
   *
   * @param held of the same kind as those of training; iterated once for each run
   * @return a changed copy
   */
  public PreferenceTuning evalExamples(Iterable<? extends TrainingExample> held) {
    return with("eval_file", HELD_OUT).changed(fields -> fields.heldOut = held);
  }

  /**
   * Replaces the tokenizer of the model folder. The saved model still has the folder's files.
   *
   * @param newTokenizer safe for use by several threads
   * @return a changed copy
   */
  public PreferenceTuning tokenizer(Tokenizer newTokenizer) {
    return changed(fields -> fields.tokenizer = newTokenizer);
  }

  /**
   * Replaces the chat template of the model folder. The saved model still has the folder's files.
   *
   * @param newChatTemplate safe for use by several threads
   * @return a changed copy
   */
  public PreferenceTuning chatTemplate(ChatTemplate newChatTemplate) {
    return changed(fields -> fields.chatTemplate = newChatTemplate);
  }

  /**
   * Replaces the chat template of the model folder by that of a file, which is saved with the tuned
   * model.
   *
   * @param file in the Jinja dialect of transformers
   * @return a changed copy
   */
  public PreferenceTuning chatTemplate(Path file) {
    return with("chat_template", file);
  }

  /**
   * Passes variables to the chat template; those of a row replace them.
   *
   * @param variables by name, for example {@code Map.of("enable_thinking", false)}; none by default
   * @return a changed copy
   */
  public PreferenceTuning chatTemplateKwargs(Map<String, ?> variables) {
    return with("chat_template_kwargs", variables);
  }

  /**
   * Sets whose ids a text gets where transformers does not use {@code tokenizer.json} as it stands.
   *
   * @param source {@link TokenizerSource#FILE} by default
   * @return a changed copy
   */
  public PreferenceTuning tokenizerSource(TokenizerSource source) {
    return with("tokenizer_source", text(source));
  }

  /**
   * Adds a listener that receives all events of the run.
   *
   * @param listener called on the thread that trains
   * @return a changed copy
   */
  public PreferenceTuning listener(TrainingListener listener) {
    return changed(fields -> fields.listeners.add(listener));
  }

  /**
   * Adds a listener that receives a report every {@link #loggingSteps} steps, and after the last
   * step.
   *
   * @param report called on the thread that trains
   * @return a changed copy
   */
  public PreferenceTuning listener(Consumer<? super StepReport> report) {
    return listener(
        new TrainingListener() {
          @Override
          public String name() {
            return report.getClass().getName();
          }

          @Override
          public void onReport(StepReport step, TrainingControl control) {
            report.accept(step);
          }
        });
  }

  /**
   * Lets another thread end the run cleanly after its current step.
   *
   * @param newCancellation of which {@link Cancellation#cancel} is called
   * @return a changed copy
   */
  public PreferenceTuning cancellation(Cancellation newCancellation) {
    return changed(fields -> fields.cancellation = newCancellation);
  }

  /**
   * Prints what the command {@code train} prints. By default a run prints nothing.
   *
   * @param results the header and a line for each report
   * @param notes notes and warnings, which {@link TrainingResult#warnings} has as well
   * @return a changed copy
   */
  public PreferenceTuning printTo(PrintStream results, PrintStream notes) {
    return changed(
        fields -> {
          fields.out = results;
          fields.err = notes;
        });
  }

  /**
   * Trains and saves the tuned model. Runs on the calling thread until it is done.
   *
   * @param outputFolder is made; must be empty, {@linkplain #overwriteOutputDir replaced} or
   *     {@linkplain #resumeFromCheckpoint continued}. Checkpoints and metrics appear in it while
   *     the run lives, the model when it is over
   * @return what the run did and why it ended
   * @throws UsageException if an option, a value or a combination is wrong; nothing has happened
   *     then
   * @throws org.dpo4j.ListenerException if a listener throws an exception
   * @throws org.dpo4j.DpoException if an input cannot be used, the training fails or the thread is
   *     interrupted
   */
  public TrainingResult train(Path outputFolder) {
    RunOutput output = new RunOutput(out, err, Progress.NONE);
    TrainingOptions resolved =
        TrainingOptions.resolve(file, with("output_dir", outputFolder).options);
    resolved.report(output);
    String name = resolved.config().loss().examples().noun() + "s";
    Iterable<? extends TrainingExample> training = examples;
    Iterable<? extends TrainingExample> evaluation = heldOut;
    ProgramInputs given =
        new ProgramInputs(
            training == null
                ? Optional.empty()
                : Optional.of(ExampleRows.input(name, training::iterator)),
            evaluation == null
                ? Optional.empty()
                : Optional.of(ExampleRows.input("held-out " + name, evaluation::iterator)),
            TextSide.of(tokenizer, chatTemplate));
    return TrainingRun.run(resolved.config(), given, output, cancellation, listeners);
  }

  private PreferenceTuning with(String name, Object value) {
    return changed(fields -> fields.options.put(name, TrainingConfig.OPTIONS.given(name, value)));
  }

  private static String text(Enum<?> choice) {
    return choice.name().toLowerCase(Locale.ROOT);
  }

  private static List<Double> list(double... numbers) {
    return Arrays.stream(numbers).boxed().toList();
  }

  private static List<String> entries(Map<String, ?> map) {
    return map.entrySet().stream().map(entry -> entry.getKey() + "=" + entry.getValue()).toList();
  }

  // The loss and the reference.

  /**
   * Weighs the tokens beyond the length of the shorter completion (LD-DPO, arXiv 2409.06411).
   *
   * @param value from 0 to 1; 1, the default, counts all tokens fully
   * @return a changed copy
   */
  public PreferenceTuning ldAlpha(double value) {
    return with("ld_alpha", value);
  }

  /**
   * Weighs pairs by their probability under the policy (WPO, arXiv 2406.11827).
   *
   * @param on false by default
   * @return a changed copy
   */
  public PreferenceTuning useWeighting(boolean on) {
    return with("use_weighting", on);
  }

  /**
   * Replaces the reverse KL divergence by another one (f-DPO).
   *
   * @param type REVERSE_KL by default
   * @return a changed copy
   */
  public PreferenceTuning fDivergenceType(FDivergenceType type) {
    return with("f_divergence_type", text(type));
  }

  /**
   * Sets the alpha of {@link FDivergenceType#ALPHA_DIVERGENCE}.
   *
   * @param value finite; 0.5 by default
   * @return a changed copy
   */
  public PreferenceTuning fAlphaDivergenceCoef(double value) {
    return with("f_alpha_divergence_coef", value);
  }

  /**
   * Chooses what the policy is compared with.
   *
   * @param reference START by default; NONE for losses without a reference
   * @return a changed copy
   */
  public PreferenceTuning reference(Reference reference) {
    return with("reference", text(reference));
  }

  /**
   * Uses the model in another folder as the reference; it must have the same tokenizer.
   *
   * @param folder in Hugging Face format
   * @return a changed copy
   */
  public PreferenceTuning refModel(Path folder) {
    return with("ref_model", folder);
  }

  /**
   * Sets where the log-probabilities of the reference are kept for later runs on the same pairs.
   *
   * @param folder beside the output folder by default; {@code Path.of("off")} keeps none
   * @return a changed copy
   */
  public PreferenceTuning referenceCache(Path folder) {
    return with("reference_cache", folder);
  }

  /**
   * Moves the reference towards the policy during training (TR-DPO, arXiv 2404.09656).
   *
   * @param on false by default
   * @return a changed copy
   */
  public PreferenceTuning syncRefModel(boolean on) {
    return with("sync_ref_model", on);
  }

  /**
   * Sets the weight of the policy in an update of the reference.
   *
   * @param value from 0 to 1; 0.6 by default
   * @return a changed copy
   */
  public PreferenceTuning refModelMixupAlpha(double value) {
    return with("ref_model_mixup_alpha", value);
  }

  /**
   * Sets the steps between updates of the reference.
   *
   * @param value at least 1; 512 by default
   * @return a changed copy
   */
  public PreferenceTuning refModelSyncSteps(int value) {
    return with("ref_model_sync_steps", value);
  }

  // The adapter.

  /**
   * Continues to train a LoRA adapter; the weights of the model stay as they are.
   *
   * @param folder in PEFT's format
   * @return a changed copy
   */
  public PreferenceTuning adapter(Path folder) {
    return with("adapter", folder);
  }

  /**
   * Trains a new LoRA adapter instead of the weights of the model.
   *
   * @param on false by default
   * @return a changed copy
   */
  public PreferenceTuning usePeft(boolean on) {
    return with("use_peft", on);
  }

  /**
   * Sets the rank of a new adapter.
   *
   * @param value at least 1; 16 by default
   * @return a changed copy
   */
  public PreferenceTuning loraR(int value) {
    return with("lora_r", value);
  }

  /**
   * Sets the alpha of a new adapter: its scale is alpha / rank.
   *
   * @param value positive; 32 by default
   * @return a changed copy
   */
  public PreferenceTuning loraAlpha(double value) {
    return with("lora_alpha", value);
  }

  /**
   * Sets the dropout probability on the adapter's input; see {@link #disableDropout}.
   *
   * @param value in [0, 1); 0.05 by default
   * @return a changed copy
   */
  public PreferenceTuning loraDropout(double value) {
    return with("lora_dropout", value);
  }

  /**
   * Chooses the linear layers that a new adapter is on.
   *
   * @param names layers such as {@code q_proj}, {@code all-linear}, or one regular expression;
   *     those of PEFT by default
   * @return a changed copy
   */
  public PreferenceTuning loraTargetModules(String... names) {
    return with("lora_target_modules", List.of(names));
  }

  /**
   * Chooses matrices of experts and routers that a new adapter is on, as PEFT's {@code
   * target_parameters}. It needs {@link #loraDropout} of 0.
   *
   * @param names parameters such as {@code mlp.experts.gate_up_proj}; none by default
   * @return a changed copy
   */
  public PreferenceTuning loraTargetParameters(String... names) {
    return with("lora_target_parameters", List.of(names));
  }

  /**
   * Leaves out layers that {@link #loraTargetModules} selects.
   *
   * @param names layers such as {@code down_proj}, or one regular expression; none by default
   * @return a changed copy
   */
  public PreferenceTuning loraExcludeModules(String... names) {
    return with("lora_exclude_modules", List.of(names));
  }

  /**
   * Limits a new adapter to some blocks of the model; {@link #loraTargetModules} are then names.
   *
   * @param blocks their numbers, from 0; all by default
   * @return a changed copy
   */
  public PreferenceTuning loraLayersToTransform(int... blocks) {
    return with("lora_layers_to_transform", IntStream.of(blocks).boxed().toList());
  }

  /**
   * Trains biases of the model besides the adapter, as PEFT's {@code bias}.
   *
   * @param biases {@link LoraBias#NONE} by default
   * @return a changed copy
   */
  public PreferenceTuning loraBias(LoraBias biases) {
    return with("lora_bias", text(biases));
  }

  /**
   * Trains modules in full besides the adapter.
   *
   * @param names modules such as {@code lm_head}; none by default
   * @return a changed copy
   */
  public PreferenceTuning loraModulesToSave(String... names) {
    return with("lora_modules_to_save", List.of(names));
  }

  /**
   * Keeps embedding table and head one matrix where they are (PEFT's {@code ensure_weight_tying}):
   * one adapter, or one copy that is trained in full, serves both uses.
   *
   * @param on false by default
   * @return a changed copy
   */
  public PreferenceTuning loraEnsureWeightTying(boolean on) {
    return with("lora_ensure_weight_tying", on);
  }

  /**
   * Sets other ranks for some layers.
   *
   * @param ranks from layer names or regular expressions
   * @return a changed copy
   */
  public PreferenceTuning loraRankPattern(Map<String, Integer> ranks) {
    return with("lora_rank_pattern", entries(ranks));
  }

  /**
   * Sets other alphas for some layers.
   *
   * @param alphas from layer names or regular expressions
   * @return a changed copy
   */
  public PreferenceTuning loraAlphaPattern(Map<String, Double> alphas) {
    return with("lora_alpha_pattern", entries(alphas));
  }

  /**
   * Scales the adapter by alpha / sqrt(rank).
   *
   * @param on false by default
   * @return a changed copy
   */
  public PreferenceTuning useRslora(boolean on) {
    return with("use_rslora", on);
  }

  /**
   * Trains the lengths of the rows of the adapted weights apart from their directions (DoRA, arXiv
   * 2402.09353).
   *
   * @param on false by default
   * @return a changed copy
   */
  public PreferenceTuning useDora(boolean on) {
    return with("use_dora", on);
  }

  /**
   * Switches the adapter's dropout off in training.
   *
   * @param on true by default
   * @return a changed copy
   */
  public PreferenceTuning disableDropout(boolean on) {
    return with("disable_dropout", on);
  }

  /**
   * Sets how the weights of the model under an adapter are kept in memory.
   *
   * @param type {@link BaseDtype#AUTO} by default
   * @return a changed copy
   */
  public PreferenceTuning baseDtype(BaseDtype type) {
    return with("base_dtype", text(type));
  }

  // The pairs.

  /**
   * Mixes several files of pairs in the given proportions.
   *
   * @param weights one for each file, positive
   * @return a changed copy
   */
  public PreferenceTuning dataWeights(double... weights) {
    return with("data_weights", list(weights));
  }

  /**
   * Uses the first rows of each file or folder, to train on and to evaluate on; rows in memory are
   * limited alike.
   *
   * @param rows at least 0; 0, the default, uses all
   * @return a changed copy
   */
  public PreferenceTuning maxSamples(int rows) {
    return with("max_samples", rows);
  }

  /**
   * Evaluates on the pairs of files.
   *
   * @param files in the same formats as the training pairs
   * @return a changed copy
   */
  public PreferenceTuning evalFile(Path... files) {
    return with("eval_file", Stream.of(files).map(EvaluationFiles::unnamed).toList());
  }

  /**
   * Evaluates on several sets of pairs, each on its own: the metrics of the set {@code short} are
   * {@code eval_short_loss} and so on.
   *
   * @param sets names of letters, digits, {@code _} and {@code -}, with the file of each
   * @return a changed copy
   */
  public PreferenceTuning evalFiles(Map<String, Path> sets) {
    return with(
        "eval_file",
        sets.entrySet().stream()
            .map(set -> EvaluationFiles.named(set.getKey(), set.getValue()))
            .toList());
  }

  /**
   * Holds out pairs for evaluation.
   *
   * @param value a fraction below 1, or a number of pairs
   * @return a changed copy
   */
  public PreferenceTuning evalSplit(double value) {
    return with("eval_split", value);
  }

  /**
   * Sets the seed that decides which pairs {@link #evalSplit} holds out.
   *
   * @param value 42 by default
   * @return a changed copy
   */
  public PreferenceTuning evalSplitSeed(long value) {
    return with("eval_split_seed", value);
  }

  /**
   * Sets which end of a row is kept that is longer than {@link #maxLength}.
   *
   * @param value the default is {@code KEEP_START}
   * @return a changed copy
   */
  public PreferenceTuning truncationMode(TruncationMode value) {
    return with("truncation_mode", text(value));
  }

  /**
   * Lowers the micro-batch to the largest that fits into the machine's memory by the model of
   * {@code plan}; steps keep their examples.
   *
   * @param on false by default
   * @return a changed copy
   */
  public PreferenceTuning autoFindBatchSize(boolean on) {
    return with("auto_find_batch_size", on);
  }

  /**
   * Names the columns of the files.
   *
   * @param columns from names here, such as {@code prompt}, to names in the files
   * @return a changed copy
   */
  public PreferenceTuning columns(Map<String, String> columns) {
    return with("columns", entries(columns));
  }

  /**
   * Sets how the columns of the files are interpreted.
   *
   * @param format AUTO by default, which looks at the first row
   * @return a changed copy
   */
  public PreferenceTuning dataFormat(RowFormat format) {
    return with("data_format", text(format));
  }

  /**
   * Cuts prompt plus completion to a number of tokens.
   *
   * @param value at least 0; 1024 by default, 0 cuts nothing
   * @return a changed copy
   */
  public PreferenceTuning maxLength(int value) {
    return with("max_length", value);
  }

  /**
   * With {@link Losses#nll}, chooses whether prompts are learned too.
   *
   * @param on true by default: only completions are learned
   * @return a changed copy
   */
  public PreferenceTuning completionOnlyLoss(boolean on) {
    return with("completion_only_loss", on);
  }

  /**
   * With {@link Losses#nll}, learns only the assistant's turns of conversations, which the chat
   * template must mark with {@code generation}.
   *
   * @param on false by default
   * @return a changed copy
   */
  public PreferenceTuning assistantOnlyLoss(boolean on) {
    return with("assistant_only_loss", on);
  }

  /**
   * With {@link Losses#nll}, fills sequences of {@link #maxLength} tokens with several rows, which
   * do not see each other.
   *
   * @param on false by default
   * @return a changed copy
   */
  public PreferenceTuning packing(boolean on) {
    return with("packing", on);
  }

  /**
   * Chooses how rows are packed.
   *
   * @param strategy BFD by default
   * @return a changed copy
   */
  public PreferenceTuning packingStrategy(PackingStrategy strategy) {
    return with("packing_strategy", text(strategy));
  }

  /**
   * Decides what a bad pair does to the run.
   *
   * @param action STOP by default
   * @return a changed copy
   */
  public PreferenceTuning onBadRow(OnBadRow action) {
    return with("on_bad_row", text(action));
  }

  /**
   * Shuffles the pairs in each epoch.
   *
   * @param on true by default
   * @return a changed copy
   */
  public PreferenceTuning shuffle(boolean on) {
    return with("shuffle", on);
  }

  // Optimizer and schedule.

  /**
   * Sets the peak learning rate.
   *
   * @param value at least 0; 1e-6 by default
   * @return a changed copy
   */
  public PreferenceTuning learningRate(double value) {
    return with("learning_rate", value);
  }

  /**
   * Sets the optimizer.
   *
   * @param value {@link Optim#ADAMW_TORCH_FUSED} by default
   * @return a changed copy
   */
  public PreferenceTuning optim(Optim value) {
    return with("optim", text(value));
  }

  /**
   * Sets the weight decay, which spares biases and norms.
   *
   * @param value at least 0; 0 by default
   * @return a changed copy
   */
  public PreferenceTuning weightDecay(double value) {
    return with("weight_decay", value);
  }

  /**
   * Sets the decay rate of AdamW's first moment.
   *
   * @param value in [0, 1); 0.9 by default
   * @return a changed copy
   */
  public PreferenceTuning adamBeta1(double value) {
    return with("adam_beta1", value);
  }

  /**
   * Sets the decay rate of AdamW's second moment.
   *
   * @param value in [0, 1); 0.999 by default
   * @return a changed copy
   */
  public PreferenceTuning adamBeta2(double value) {
    return with("adam_beta2", value);
  }

  /**
   * Sets the epsilon of AdamW.
   *
   * @param value at least 0; 1e-8 by default
   * @return a changed copy
   */
  public PreferenceTuning adamEpsilon(double value) {
    return with("adam_epsilon", value);
  }

  /**
   * Clips the norm of the gradient.
   *
   * @param value at least 0; 1 by default, 0 clips nothing
   * @return a changed copy
   */
  public PreferenceTuning maxGradNorm(double value) {
    return with("max_grad_norm", value);
  }

  /**
   * Decides what a step with a loss, a log-probability or a gradient that is not finite does to the
   * run.
   *
   * @param action STOP by default
   * @return a changed copy
   */
  public PreferenceTuning onNan(OnNan action) {
    return with("on_nan", text(action));
  }

  /**
   * Limits the steps that {@link OnNan#SKIP} may skip in a run; the run fails at the next one.
   *
   * @param steps at least 1; 10 by default
   * @return a changed copy
   */
  public PreferenceTuning onNanLimit(int steps) {
    return with("on_nan_limit", steps);
  }

  /**
   * Sets the number of passes over the pairs.
   *
   * @param value positive, fractions allowed; 3 by default
   * @return a changed copy
   */
  public PreferenceTuning numTrainEpochs(double value) {
    return with("num_train_epochs", value);
  }

  /**
   * Sets the number of optimizer steps, regardless of {@link #numTrainEpochs}.
   *
   * @param value at least 1
   * @return a changed copy
   */
  public PreferenceTuning maxSteps(int value) {
    return with("max_steps", value);
  }

  /**
   * Sets how the learning rate changes after the warm-up.
   *
   * @param type LINEAR by default
   * @return a changed copy
   */
  public PreferenceTuning lrSchedulerType(LrSchedulerType type) {
    return with("lr_scheduler_type", text(type));
  }

  /**
   * Sets what {@link #lrSchedulerType} needs or allows, with the names that transformers has in
   * {@code lr_scheduler_kwargs}.
   *
   * @param settings numbers and texts by name, for example {@code Map.of("min_lr_rate", 0.1)}; none
   *     by default
   * @return a changed copy
   */
  public PreferenceTuning lrSchedulerKwargs(Map<String, ?> settings) {
    return with("lr_scheduler_kwargs", settings);
  }

  /**
   * Sets the steps in which the learning rate rises from 0.
   *
   * @param value a whole number, or a fraction of all steps below 1; 0 by default
   * @return a changed copy
   */
  public PreferenceTuning warmupSteps(double value) {
    return with("warmup_steps", value);
  }

  /**
   * Sets the warm-up as a fraction of all steps.
   *
   * @param value from 0 to 1; 0 by default
   * @return a changed copy
   */
  public PreferenceTuning warmupRatio(double value) {
    return with("warmup_ratio", value);
  }

  /**
   * Sets the pairs of a micro-batch.
   *
   * @param value at least 1; 8 by default
   * @return a changed copy
   */
  public PreferenceTuning perDeviceTrainBatchSize(int value) {
    return with("per_device_train_batch_size", value);
  }

  /**
   * Sets the micro-batches of an optimizer step.
   *
   * @param value at least 1; 1 by default
   * @return a changed copy
   */
  public PreferenceTuning gradientAccumulationSteps(int value) {
    return with("gradient_accumulation_steps", value);
  }

  // Evaluation and output.

  /**
   * Sets when to evaluate, besides before the first step and after the last one.
   *
   * @param strategy NO by default
   * @return a changed copy
   */
  public PreferenceTuning evalStrategy(EvalStrategy strategy) {
    return with("eval_strategy", text(strategy));
  }

  /**
   * Sets the steps between evaluations for {@link EvalStrategy#STEPS}.
   *
   * @param value a whole number, or a fraction of all steps below 1; as {@link #loggingSteps} by
   *     default
   * @return a changed copy
   */
  public PreferenceTuning evalSteps(double value) {
    return with("eval_steps", value);
  }

  /**
   * Sets the pairs of an evaluation batch.
   *
   * @param value at least 1; 8 by default
   * @return a changed copy
   */
  public PreferenceTuning perDeviceEvalBatchSize(int value) {
    return with("per_device_eval_batch_size", value);
  }

  /**
   * Sets the steps between reports.
   *
   * @param value a whole number, or a fraction of all steps below 1; 10 by default
   * @return a changed copy
   */
  public PreferenceTuning loggingSteps(double value) {
    return with("logging_steps", value);
  }

  /**
   * Sets how {@link #printTo} prints reports.
   *
   * @param format TABLE by default
   * @return a changed copy
   */
  public PreferenceTuning logFormat(LogFormat format) {
    return with("log_format", text(format));
  }

  /**
   * Writes files for trackers, or sends the metrics to them while the run lives.
   *
   * @param trackers none by default
   * @return a changed copy
   */
  public PreferenceTuning reportTo(Tracker... trackers) {
    return with("report_to", Stream.of(trackers).map(PreferenceTuning::text).toList());
  }

  /**
   * Names the run in MLflow.
   *
   * @param name the last two names of the output folder by default
   * @return a changed copy
   */
  public PreferenceTuning runName(String name) {
    return with("run_name", name);
  }

  /**
   * Records the margin and the loss of each pair, whenever it is trained on or evaluated, in {@code
   * ledger.jsonl} of the output, with 30 to 60 bytes each time.
   *
   * @param on true by default
   * @return a changed copy
   */
  public PreferenceTuning ledger(boolean on) {
    return with("ledger", on);
  }

  /**
   * Replaces the output of an earlier run.
   *
   * @param on false by default
   * @return a changed copy
   */
  public PreferenceTuning overwriteOutputDir(boolean on) {
    return with("overwrite_output_dir", on);
  }

  /**
   * Sets the number format of the saved weights.
   *
   * @param type AUTO by default
   * @return a changed copy
   */
  public PreferenceTuning saveDtype(SaveDtype type) {
    return with("save_dtype", text(type));
  }

  /**
   * Sets how many sample answers the model card shows.
   *
   * @param value at least 0; 3 by default
   * @return a changed copy
   */
  public PreferenceTuning samplePrompts(int value) {
    return with("sample_prompts", value);
  }

  /**
   * Sets the prompts that are answered for the model card, and at each evaluation.
   *
   * @param file one prompt a line, or rows with a column {@code prompt}
   * @return a changed copy
   */
  public PreferenceTuning samplePrompts(Path file) {
    return with("sample_prompts", file.toAbsolutePath().toString());
  }

  /**
   * Sets whether a page shows the run while it lives, to browsers of this machine.
   *
   * @param port of the loopback address, 0 for any that is free; none by default
   * @return a changed copy
   */
  public PreferenceTuning ui(int port) {
    return with("ui", port);
  }

  // Checkpoints.

  /**
   * Chooses when the run saves a checkpoint.
   *
   * @param value STEPS by default
   * @return a changed copy
   */
  public PreferenceTuning saveStrategy(SaveStrategy value) {
    return with("save_strategy", text(value));
  }

  /**
   * Sets the steps between two checkpoints.
   *
   * @param value steps, or below 1 a fraction of the run; 500 by default
   * @return a changed copy
   */
  public PreferenceTuning saveSteps(double value) {
    return with("save_steps", value);
  }

  /**
   * Sets how many checkpoints are kept, the newest and the best among them.
   *
   * @param value 0 for all; 2 by default
   * @return a changed copy
   */
  public PreferenceTuning saveTotalLimit(int value) {
    return with("save_total_limit", value);
  }

  /**
   * Saves checkpoints without the optimizer's state: smaller, but no run can continue from them.
   *
   * @param on false by default
   * @return a changed copy
   */
  public PreferenceTuning saveOnlyModel(boolean on) {
    return with("save_only_model", on);
  }

  /**
   * Saves the weights of the best checkpoint at the end, not the last ones.
   *
   * @param on false by default
   * @return a changed copy
   */
  public PreferenceTuning loadBestModelAtEnd(boolean on) {
    return with("load_best_model_at_end", on);
  }

  /**
   * Sets the held-out metric by which evaluations are compared.
   *
   * @param name such as {@code eval_loss}, the default, or {@code eval_rewards/accuracies}
   * @return a changed copy
   */
  public PreferenceTuning metricForBestModel(String name) {
    return with("metric_for_best_model", name);
  }

  /**
   * Sets whether a higher value of {@link #metricForBestModel} is better.
   *
   * @param on by default true unless the metric is a loss
   * @return a changed copy
   */
  public PreferenceTuning greaterIsBetter(boolean on) {
    return with("greater_is_better", on);
  }

  /**
   * Continues a run from a checkpoint, with the same bytes as if it had not been interrupted.
   *
   * @param checkpoint a folder {@code checkpoint-STEP}
   * @return a changed copy
   */
  public PreferenceTuning resumeFromCheckpoint(Path checkpoint) {
    return with("resume_from_checkpoint", checkpoint.toString());
  }

  /**
   * Continues a run from the newest checkpoint in its output folder that is whole; without one the
   * run starts at its first step.
   *
   * @return a changed copy
   */
  public PreferenceTuning resumeFromNewestCheckpoint() {
    return with("resume_from_checkpoint", "true");
  }

  /**
   * Stops the run when the metric has not improved for some evaluations.
   *
   * @param evaluations 0, the default, for never
   * @return a changed copy
   */
  public PreferenceTuning earlyStoppingPatience(int evaluations) {
    return with("early_stopping_patience", evaluations);
  }

  /**
   * Sets the smallest change of the metric that is an improvement.
   *
   * @param value 0 by default
   * @return a changed copy
   */
  public PreferenceTuning earlyStoppingThreshold(double value) {
    return with("early_stopping_threshold", value);
  }

  /**
   * Stops the run when one of these diagnoses appears in what it has logged so far; with {@link
   * #loadBestModelAtEnd} the best checkpoint's weights are then saved.
   *
   * @param guards none by default; over-optimised and displaced need evaluations during the run
   * @return a changed copy
   */
  public PreferenceTuning guard(Guard... guards) {
    return with("guard", Stream.of(guards).map(PreferenceTuning::text).toList());
  }

  // The machine.

  /**
   * Sets the seed of the order of the pairs, of a new adapter's weights and of dropout.
   *
   * @param value 42 by default
   * @return a changed copy
   */
  public PreferenceTuning seed(long value) {
    return with("seed", value);
  }

  /**
   * Sets the device that computes.
   *
   * @param name {@code cpu}, the default; {@code cuda} or {@code cuda:1} for a GPU; {@code auto}
   *     for a GPU if there is one
   * @return a changed copy
   */
  public PreferenceTuning device(String name) {
    return with("device", name);
  }

  /**
   * Sets how many threads compute.
   *
   * @param value at least 0; 0, the default, uses all cores
   * @return a changed copy
   */
  public PreferenceTuning threads(int value) {
    return with("threads", value);
  }

  /**
   * Sets how long a process waits for the others of a run of several processes, which the
   * environment variables {@code RANK} and {@code WORLD_SIZE} tell.
   *
   * @param seconds at least 1; 1800 by default
   * @return a changed copy
   */
  public PreferenceTuning ddpTimeout(int seconds) {
    return with("ddp_timeout", seconds);
  }

  /**
   * Multiplies matrices in bfloat16 where the processor does that faster.
   *
   * @param on false by default
   * @return a changed copy
   */
  public PreferenceTuning bf16(boolean on) {
    return with("bf16", on);
  }

  /**
   * Recomputes activations in the backward pass, which saves memory.
   *
   * @param on false by default
   * @return a changed copy
   */
  public PreferenceTuning gradientCheckpointing(boolean on) {
    return with("gradient_checkpointing", on);
  }

  /**
   * Sets the engine that computes log-probabilities and gradients.
   *
   * @param engine CPU by default
   * @return a changed copy
   */
  public PreferenceTuning engine(Engine engine) {
    return with("engine", text(engine));
  }

  // Choices.

  /** Computes log-probabilities and gradients; engines agree up to rounding. */
  public enum Engine {
    /** The engine for the CPU, with a backward pass of its own: faster and smaller. */
    CPU,
    /** libtorch's autograd. */
    AUTOGRAD
  }

  /** Where the ids of a text come from. */
  public enum TokenizerSource {
    /** {@code tokenizer.json} as it stands. */
    FILE,
    /**
     * What transformers' AutoTokenizer builds from the files, as TRL uses it; saved with the model.
     */
    TRANSFORMERS
  }

  /** What the policy is compared with. */
  public enum Reference {
    /** A frozen copy of what training starts from, adapter included. */
    START,
    /** The base model, with the adapter off. */
    BASE,
    /** Nothing, for losses that need no reference. */
    NONE
  }

  /** The divergence that ties the policy to the reference, by its score of a log-ratio D. */
  public enum FDivergenceType {
    /** D: plain DPO. */
    REVERSE_KL,
    /** 1 - exp(-D). */
    FORWARD_KL,
    /** ln 2 + log sigmoid(D). */
    JS_DIVERGENCE,
    /** (exp((alpha - 1) D) - 1) / (alpha - 1). */
    ALPHA_DIVERGENCE
  }

  /** How the learning rate changes after the warm-up. */
  public enum LrSchedulerType {
    /** Falls linearly to 0. */
    LINEAR,
    /** Falls to 0 along half a cosine, or along {@code num_cycles} waves. */
    COSINE,
    /** Falls to 0 along {@code num_cycles} half cosines, each from the peak. */
    COSINE_WITH_RESTARTS,
    /** Falls to {@code min_lr}, or to {@code min_lr_rate} times the peak, along half a cosine. */
    COSINE_WITH_MIN_LR,
    /** As COSINE_WITH_MIN_LR, one step ahead: the last step of the run has the minimum. */
    COSINE_WARMUP_WITH_MIN_LR,
    /** Falls to {@code lr_end} with the {@code power} of the steps that are left. */
    POLYNOMIAL,
    /** Falls with the inverse square root of the steps, at the pace of {@code timescale}. */
    INVERSE_SQRT,
    /** Stays, and falls to {@code min_lr_ratio} times the peak in {@code num_decay_steps}. */
    WARMUP_STABLE_DECAY,
    /** Stays; there is no warm-up. */
    CONSTANT,
    /** Stays. */
    CONSTANT_WITH_WARMUP
  }

  /** How weights are updated by their gradients. */
  public enum Optim {
    /** AdamW, as PyTorch computes it. */
    ADAMW_TORCH,
    /** The same; AdamW is always fused here. */
    ADAMW_TORCH_FUSED,
    /**
     * AdamW with its moments in bfloat16: half the state; a step takes a little longer on a CPU.
     */
    ADAMW_BF16_MOMENTS,
    /** Adafactor with the learning rate of the run: its state is a small part of a model's size. */
    ADAFACTOR,
    /** Lion, with half of AdamW's state; learning rates are three to ten times smaller. */
    LION_32BIT
  }

  /** When to evaluate, besides before the first step and after the last one. */
  public enum EvalStrategy {
    /** Not at all. */
    NO,
    /** Every {@link PreferenceTuning#evalSteps} steps. */
    STEPS,
    /** After each epoch. */
    EPOCH
  }

  /** When the run saves a checkpoint. */
  public enum SaveStrategy {
    /** Not at all. */
    NO,
    /** Every {@link PreferenceTuning#saveSteps} steps. */
    STEPS,
    /** After each epoch. */
    EPOCH,
    /** After each evaluation that is better than all before. */
    BEST
  }

  /** Biases of the model that are trained besides an adapter. */
  public enum LoraBias {
    /** No biases. */
    NONE,
    /** All of them, those of norms too. */
    ALL,
    /** Those of the layers that have an adapter. */
    LORA_ONLY
  }

  /** How the weights of the model under an adapter are kept in memory. */
  public enum BaseDtype {
    /** As in the checkpoint; the results are those of float32. */
    AUTO,
    /** In 32 bits, which is faster with few tokens in a step. */
    FLOAT32,
    /** The matrices of the blocks in 8 bits with a scale for each row; results are rounded. */
    INT8
  }

  /** The number format of the saved weights. */
  public enum SaveDtype {
    /** That of the model if rounding to it preserves the update, else FLOAT32. */
    AUTO,
    /** 32 bits. */
    FLOAT32,
    /** 16 bits, 5 of them exponent. */
    FLOAT16,
    /** 16 bits, 8 of them exponent. */
    BFLOAT16
  }

  /** What a bad pair does to the run. */
  public enum OnBadRow {
    /** The run fails before its first step; the message counts the bad pairs. */
    STOP,
    /** The pair is left out and counted. */
    SKIP
  }

  /** What a step with a number that is not finite does to the run. */
  public enum OnNan {
    /** The run fails before the step changes a weight; the message names the rows. */
    STOP,
    /** The step is skipped and counted. */
    SKIP
  }

  /** What the columns of files mean; {@code docs/reference/data-shapes.md} shows each. */
  public enum RowFormat {
    /** Determined by the columns of the first row. */
    AUTO,
    /** Texts {@code chosen} and {@code rejected}, and {@code prompt} unless both begin with it. */
    TEXT,
    /** Lists of messages, or texts that are the turns of a user and of an assistant. */
    MESSAGES,
    /** {@code prompt_ids}, {@code chosen_ids} and {@code rejected_ids}. */
    TOKEN_IDS,
    /** Transcripts like those of hh-rlhf, as conversations. */
    HH,
    /**
     * {@code instruction}, {@code input}, {@code history} and {@code system}, as a conversation.
     */
    ALPACA,
    /** {@code conversations} that one message, chosen or rejected, continues. */
    SHAREGPT,
    /** {@code system} and {@code question}, as a conversation. */
    ORCA
  }

  /** Which end of a row that is too long is kept. */
  public enum TruncationMode {
    /** The prompt and the first tokens of the completion. */
    KEEP_START,
    /** The completion and the last tokens of the prompt. */
    KEEP_END
  }

  /** What stops a run: diagnoses of {@code doctor}. */
  public enum Guard {
    /** No weight gets a gradient. */
    NO_GRADIENT,
    /** The policy before its first update is not the reference. */
    NOT_AT_REFERENCE,
    /** The loss jumps far above its start again and again. */
    UNSTABLE,
    /** Held-out pairs got worse while training pairs got better. */
    OVER_OPTIMISED,
    /** Training pairs leave hardly a gradient. */
    SATURATED,
    /** The chosen answers lost much of their probability. */
    DISPLACED,
    /** The next-token distribution narrowed to few tokens. */
    NARROWED
  }

  /** Who gets the metrics of a run besides its own files. */
  public enum Tracker {
    /** Nobody. */
    NONE,
    /** TensorBoard: event files in the folder {@code runs}, which grow while the run lives. */
    TENSORBOARD,
    /** The MLflow server that {@code MLFLOW_TRACKING_URI} in the environment names. */
    MLFLOW
  }

  /** How rows are packed into sequences. */
  public enum PackingStrategy {
    /** Whole rows, best fit decreasing; longer rows are cut. */
    BFD,
    /** As {@link #BFD}, but longer rows become several. */
    BFD_SPLIT,
    /** One stream of tokens that is cut into sequences. */
    WRAPPED
  }

  /** How reports are printed. */
  public enum LogFormat {
    /** A table for people. */
    TABLE,
    /** Python dictionaries, as TRL prints them. */
    DICT,
    /** One JSON object a line. */
    JSON
  }
}
