package org.dpo4j.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.reflect.Array;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dpo4j.Cancellation;
import org.dpo4j.DpoException;
import org.dpo4j.EndReason;
import org.dpo4j.EvaluationReport;
import org.dpo4j.ListenerException;
import org.dpo4j.Message;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingResult;
import org.dpo4j.UsageException;
import org.dpo4j.config.LossType;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.options.OptionSpec;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.dpo4j.run.TrainingRun;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Closes: an option of the command that Java cannot reach or that means something else there, and
 * pairs from memory that train another model than the same pairs in a file.
 */
class PreferenceTuningTest {

  private static final Path TINY_CHAT = Path.of("../examples/tiny-chat");
  private static final Path PAIRS = Path.of("../examples/pairs.jsonl");

  /** Options that a method of another name covers. */
  private static final Set<String> COVERED =
      Set.of(
          "model", // of
          "data_file", // of
          "output_dir", // train
          "loss_type", // loss, and so the rest
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

  private final Path folder;

  PreferenceTuningTest(@TempDir Path folder) {
    this.folder = folder;
  }

  private static PreferenceTuning tiny() {
    return small(PreferenceTuning.of(TINY_CHAT, PAIRS));
  }

  private static PreferenceTuning small(PreferenceTuning tuning) {
    return tuning
        .maxSteps(2)
        .perDeviceTrainBatchSize(2)
        .maxLength(64)
        .learningRate(1e-3)
        .loggingSteps(1)
        .samplePrompts(0)
        .threads(1)
        .referenceCache(Path.of("off"));
  }

  @Test
  void everyOptionOfTheCommandHasAMethod() {
    Set<String> methods =
        Arrays.stream(PreferenceTuning.class.getMethods())
            .filter(method -> method.getReturnType() == PreferenceTuning.class)
            .map(Method::getName)
            .collect(Collectors.toSet());
    Set<String> without = new TreeSet<>();
    for (OptionSpec option : TrainingConfig.OPTIONS.options()) {
      if (!COVERED.contains(option.name()) && !methods.contains(camelCase(option.name()))) {
        without.add(option.name());
      }
    }

    assertThat(without).as("options without a method").isEmpty();
  }

  private static String camelCase(String snakeCase) {
    StringBuilder name = new StringBuilder();
    for (String word : snakeCase.split("_")) {
      name.append(
          name.isEmpty()
              ? word
              : word.substring(0, 1).toUpperCase(Locale.ROOT) + word.substring(1));
    }
    return name.toString();
  }

  @Test
  void everyMethodOfAnOptionSetsThatOption() throws ReflectiveOperationException {
    Set<String> checked = new TreeSet<>();
    for (OptionSpec option : TrainingConfig.OPTIONS.options()) {
      if (COVERED.contains(option.name())) {
        continue;
      }
      for (Method method : PreferenceTuning.class.getMethods()) {
        if (!method.getName().equals(camelCase(option.name()))
            || method.getParameterTypes()[0] == ChatTemplate.class // no option
            || Modifier.isStatic(method.getModifiers())) {
          continue;
        }
        PreferenceTuning changed =
            (PreferenceTuning) method.invoke(tiny(), sample(method.getParameterTypes()[0]));
        assertThat(changed.options()).as(method.getName()).containsKey(option.name());
        checked.add(option.name());
      }
    }
    assertThat(checked).hasSize(TrainingConfig.OPTIONS.options().size() - COVERED.size());
  }

  private static Object sample(Class<?> type) {
    Map<Class<?>, Object> samples = new HashMap<>();
    samples.put(int.class, 1);
    samples.put(long.class, 1L);
    samples.put(double.class, 0.5);
    samples.put(boolean.class, true);
    samples.put(String.class, "cpu");
    samples.put(Path.class, Path.of("p"));
    samples.put(Map.class, Map.of("a", 1));
    samples.put(String[].class, new String[] {"a"});
    samples.put(int[].class, new int[] {1});
    samples.put(double[].class, new double[] {1});
    samples.put(Path[].class, new Path[] {Path.of("p")});
    if (type.isArray() && type.getComponentType().isEnum()) {
      return Array.newInstance(type.getComponentType(), 0);
    }
    return type.isEnum()
        ? type.getEnumConstants()[0]
        : Objects.requireNonNull(samples.get(type), type.getName());
  }

  @Test
  void everyChoiceOfAnOptionIsAConstant() {
    for (OptionSpec option : TrainingConfig.OPTIONS.options()) {
      Arrays.stream(PreferenceTuning.class.getMethods())
          .filter(method -> method.getName().equals(camelCase(option.name())))
          .map(method -> method.getParameterTypes()[0])
          .map(type -> type.isArray() ? type.getComponentType() : type)
          .filter(Class::isEnum)
          .forEach(
              type ->
                  assertThat(type.getEnumConstants())
                      .as(option.name())
                      .extracting(constant -> constant.toString().toLowerCase(Locale.ROOT))
                      .containsExactlyInAnyOrderElementsOf(option.choices()));
    }
  }

  @ParameterizedTest
  @EnumSource(LossType.class)
  void everyLossHasAFactoryOfItsName(LossType type) throws ReflectiveOperationException {
    String name = camelCase(type.name().toLowerCase(Locale.ROOT));
    Loss loss =
        (Loss)
            (type == LossType.SFT || type == LossType.NLL
                ? Losses.class.getMethod(name).invoke(null)
                : Losses.class.getMethod(name, double.class).invoke(null, 0.25));

    assertThat(loss.type()).isEqualTo(type.name().toLowerCase(Locale.ROOT));
    assertThat(loss.settings())
        .isEqualTo(type == LossType.SFT || type == LossType.NLL ? Map.of() : Map.of("beta", 0.25));
  }

  @Test
  void theSettingsOfALossAreOptions() {
    Loss all =
        Losses.cpo(0.1)
            .labelSmoothing(0.2)
            .discopopTau(0.3)
            .dpopLambda(0.4)
            .odpoAlpha(0.45)
            .simpoGamma(0.5)
            .cpoAlpha(0.6)
            .desirableWeight(0.7)
            .undesirableWeight(0.8);

    Map<String, String> options = texts(tiny().loss(all.weight(2), Losses.sft()));

    assertThat(options)
        .containsEntry("loss_type", "cpo,sft")
        .containsEntry("loss_weights", "2,1")
        .containsEntry("beta", "0.1")
        .containsEntry("label_smoothing", "0.2")
        .containsEntry("discopop_tau", "0.3")
        .containsEntry("dpop_lambda", "0.4")
        .containsEntry("odpo_alpha", "0.45")
        .containsEntry("simpo_gamma", "0.5")
        .containsEntry("cpo_alpha", "0.6")
        .containsEntry("desirable_weight", "0.7")
        .containsEntry("undesirable_weight", "0.8");
    assertThat(texts(tiny().loss(all).loss(Losses.ipo(1))))
        .containsEntry("loss_type", "ipo")
        .doesNotContainKeys("label_smoothing", "loss_weights");
    assertThatThrownBy(() -> tiny().loss(Losses.sigmoid(0.1), Losses.hinge(0.2)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("beta must be the same");
  }

  private static Map<String, String> texts(PreferenceTuning tuning) {
    Map<String, String> texts = new HashMap<>();
    tuning.options().forEach((name, value) -> texts.put(name, value.text()));
    return texts;
  }

  @Test
  void aRunHasTheBytesOfTheCommandsRun() throws IOException {
    Path command = folder.resolve("command");
    TrainingRun.run(
        TrainingConfig.of(
            Map.ofEntries(
                Map.entry("model", TINY_CHAT),
                Map.entry("data_file", PAIRS),
                Map.entry("output_dir", command),
                Map.entry("max_steps", 2),
                Map.entry("per_device_train_batch_size", 2),
                Map.entry("max_length", 64),
                Map.entry("learning_rate", 1e-3),
                Map.entry("logging_steps", 1),
                Map.entry("sample_prompts", 0),
                Map.entry("threads", 1),
                Map.entry("reference_cache", "off"))),
        new RunOutput(System.err, System.err, Progress.NONE));

    TrainingResult result = tiny().train(folder.resolve("java"));

    assertThat(result.endReason()).isEqualTo(EndReason.COMPLETED);
    assertThat(result.steps()).isEqualTo(2);
    assertThat(weights(folder.resolve("java"))).isEqualTo(weights(command));
    assertThat(
            PreferenceTuning.fromConfig(folder.resolve("java/dpo4j.yaml"))
                .train(folder.resolve("again"))
                .steps())
        .isEqualTo(2);
    assertThat(weights(folder.resolve("again"))).isEqualTo(weights(command));
  }

  private static byte[] weights(Path model) throws IOException {
    return Files.readAllBytes(model.resolve("model.safetensors"));
  }

  @Test
  void pairsFromMemoryTrainTheModelThatTheirFileTrains() throws IOException {
    List<PreferencePair> pairs;
    try (var read = PreferencePair.read(PAIRS)) {
      pairs = read.toList();
    }
    tiny().evalFile(PAIRS).train(folder.resolve("file"));

    TrainingResult listed =
        small(PreferenceTuning.of(TINY_CHAT, pairs))
            .evalExamples(pairs)
            .train(folder.resolve("list"));
    TrainingResult streamed =
        small(PreferenceTuning.of(TINY_CHAT, pairs.stream())).train(folder.resolve("stream"));

    assertThat(weights(folder.resolve("list"))).isEqualTo(weights(folder.resolve("file")));
    assertThat(weights(folder.resolve("stream"))).isEqualTo(weights(folder.resolve("file")));
    assertThat(listed.finalEvaluation().orElseThrow().examples()).isEqualTo(pairs.size());
    assertThat(streamed.evaluations()).isEmpty();
  }

  @Test
  void textsIdsAndWeightsComeFromMemoryToo() {
    List<PreferencePair> texts =
        List.of(
            PreferencePair.of("a", " b", " c").withWeight(2), PreferencePair.of("d", " e", " f"));
    List<PreferencePair> ids =
        List.of(
            new PreferencePair.TokenIds(List.of(5, 6), List.of(7), List.of(8), 1).withWeight(3));

    assertThat(
            small(PreferenceTuning.of(TINY_CHAT, texts)).train(folder.resolve("t")).examplesSeen())
        .isEqualTo(4);
    assertThat(small(PreferenceTuning.of(TINY_CHAT, ids)).train(folder.resolve("i")).examplesSeen())
        .isEqualTo(2);
  }

  /** ln(3) and ln(5) as margins of pairs, and the scores that they are from. */
  @Test
  void marginsFromMemoryTrainTheModelThatTheScoresOfAFileTrain() throws IOException {
    String row =
        "{\"prompt\": \"%s\", \"chosen\": \" b\", \"rejected\": \" c\", \"score_chosen\": %s,"
            + " \"score_rejected\": 1}\n";
    Path file =
        Files.writeString(folder.resolve("s.jsonl"), row.formatted("a", 4) + row.formatted("d", 6));
    List<PreferencePair> pairs =
        List.of(
            PreferencePair.of("a", " b", " c").withMargin(Math.log(3)),
            PreferencePair.of("d", " b", " c").withWeight(1).withMargin(Math.log(5)).withWeight(1));

    small(PreferenceTuning.of(TINY_CHAT, file)).loss(Losses.odpo(0.1)).train(folder.resolve("f"));
    small(PreferenceTuning.of(TINY_CHAT, pairs)).loss(Losses.odpo(0.1)).train(folder.resolve("m"));
    small(PreferenceTuning.of(TINY_CHAT, pairs)).train(folder.resolve("dpo"));

    assertThat(weights(folder.resolve("m"))).isEqualTo(weights(folder.resolve("f")));
    assertThat(weights(folder.resolve("dpo"))).isNotEqualTo(weights(folder.resolve("f")));
    assertThatThrownBy(
            () ->
                small(PreferenceTuning.of(TINY_CHAT, List.of(PreferencePair.of("a", "b", "c"))))
                    .loss(Losses.odpo(0.1))
                    .train(folder.resolve("none")))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("needs a column \"margin\"");
  }

  /** Whatever is set last, the rest stays. */
  @Test
  void aPairOfAnyShapeKeepsItsOtherValuesBesideAMargin() {
    List<PreferencePair> pairs =
        List.of(
            PreferencePair.of("a", "b", "c"),
            new PreferencePair.TokenIds(List.of(1), List.of(2), List.of(3), 1),
            PreferencePair.of(
                List.of(Message.user("q")), Message.assistant("a"), Message.assistant("b")));
    for (PreferencePair pair : pairs) {
      PreferencePair changed = pair.withMargin(-2.5).withWeight(3);
      assertThat(pair.margin()).isEmpty();
      assertThat(changed.margin()).hasValue(-2.5);
      assertThat(changed.weight()).isEqualTo(3);
      assertThat(changed).isEqualTo(pair.withWeight(3).withMargin(-2.5)).isNotEqualTo(pair);
    }
  }

  @Test
  void labelledCompletionsFromMemoryTrainTheModelThatTheirFileTrains() throws IOException {
    String row =
        "{\"prompt\": [{\"role\": \"user\", \"content\": \"%s\"}], \"completion\":"
            + " [{\"role\": \"assistant\", \"content\": \"%s\"}], \"label\": %s, \"weight\": %s}\n";
    Path file =
        Files.writeString(
            folder.resolve("thumbs.jsonl"),
            row.formatted("q", "a", true, 2)
                + row.formatted("r", "b", false, 1)
                + row.formatted("s", "c", true, 1));
    List<PromptCompletion> thumbs =
        List.of(
            thumb("q", "a").withLabel(true).withWeight(2),
            thumb("r", "b").withLabel(false),
            thumb("s", "c").withLabel(true));

    small(PreferenceTuning.of(TINY_CHAT, file)).loss(Losses.kto(0.1)).train(folder.resolve("f"));
    small(PreferenceTuning.of(TINY_CHAT, thumbs)).loss(Losses.kto(0.1)).train(folder.resolve("m"));

    assertThat(weights(folder.resolve("m"))).isEqualTo(weights(folder.resolve("f")));
  }

  private static PromptCompletion thumb(String prompt, String completion) {
    return PromptCompletion.of(List.of(Message.user(prompt)), Message.assistant(completion));
  }

  @Test
  void demonstrationsFromMemoryTrainTheModelThatTheirFileTrains() throws IOException {
    Path file =
        Files.writeString(
            folder.resolve("texts.jsonl"),
            """
            {"prompt": "a", "completion": " b"}
            {"prompt": "c", "completion": " d"}
            """);
    List<PromptCompletion> texts =
        List.of(PromptCompletion.of("a", " b"), PromptCompletion.of("c", " d"));
    List<PromptCompletion> ids =
        List.of(PromptCompletion.ofTokenIds(List.of(5, 6), List.of(7)).withWeight(3));

    small(PreferenceTuning.of(TINY_CHAT, file)).loss(Losses.nll()).train(folder.resolve("f"));
    small(PreferenceTuning.of(TINY_CHAT, texts)).loss(Losses.nll()).train(folder.resolve("m"));
    TrainingResult ofIds =
        small(PreferenceTuning.of(TINY_CHAT, ids)).loss(Losses.nll()).train(folder.resolve("i"));

    assertThat(weights(folder.resolve("m"))).isEqualTo(weights(folder.resolve("f")));
    assertThat(ofIds.examplesSeen()).isEqualTo(2);
    assertThat(ofIds.referenceSeconds()).as("there is no reference").isZero();
  }

  @Test
  void aCompletionWithoutTheLabelThatTheLossNeedsIsNamedByItsNumber() {
    List<PromptCompletion> thumbs = List.of(thumb("q", "a").withLabel(true), thumb("r", "b"));

    assertThatThrownBy(
            () ->
                small(PreferenceTuning.of(TINY_CHAT, thumbs))
                    .loss(Losses.kto(0.1))
                    .train(folder.resolve("out")))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("[examples row 2] missing field \"label\"");
  }

  @Test
  void templateVariablesReachTheChatTemplate() {
    Set<Object> seen = ConcurrentHashMap.newKeySet();
    PromptCompletion asked = thumb("q", "a").withTemplateVariables(Map.of("enable_thinking", "no"));

    small(PreferenceTuning.of(TINY_CHAT, List.of(asked)))
        .loss(Losses.nll())
        .chatTemplate(
            (messages, header, variables) -> {
              seen.add(String.valueOf(variables.get("enable_thinking")));
              return messages.size() == 1 ? "q: " : "q: a";
            })
        .train(folder.resolve("out"));

    assertThat(seen).containsExactly("no");
  }

  @Test
  void aBadExampleFromMemoryIsNamedByItsNumber() {
    List<PreferencePair> pairs =
        List.of(
            PreferencePair.of(
                List.of(Message.user("q")), Message.assistant("a"), Message.assistant("b")),
            PreferencePair.of(
                List.of(Message.user("q")), Message.assistant("a"), Message.assistant("a")));

    assertThatThrownBy(
            () -> small(PreferenceTuning.of(TINY_CHAT, pairs)).train(folder.resolve("out")))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("[pairs row 2]");
    assertThat(folder.resolve("out")).doesNotExist();
  }

  @Test
  void aWrongValueNamesItsOptionWithoutDashes() {
    assertThatThrownBy(() -> tiny().learningRate(-1).train(folder.resolve("out")))
        .isInstanceOfSatisfying(
            UsageException.class,
            e -> {
              assertThat(e.option()).isEqualTo("learning_rate");
              assertThat(e).hasMessageContaining("learning_rate").hasMessageNotContaining("--");
            });
    assertThatThrownBy(() -> tiny().option("learning_rat", 1).train(folder.resolve("out")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("learning_rate")
        .hasMessageNotContaining("--");
  }

  @Test
  void aCopyDoesNotChangeWhatItWasMadeFrom() {
    PreferenceTuning tuning = tiny();

    PreferenceTuning changed = tuning.epochs(7).option("seed", 3);

    assertThat(texts(changed)).containsEntry("num_train_epochs", "7").containsEntry("seed", "3");
    assertThat(texts(tuning)).doesNotContainKeys("num_train_epochs", "seed");
  }

  @Test
  void listenersReceiveReportsAndEvaluations() {
    List<Integer> steps = new ArrayList<>();
    List<Integer> evaluated = new ArrayList<>();
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    PrintStream out = new PrintStream(printed, true, StandardCharsets.UTF_8);

    TrainingResult result =
        tiny()
            .evalSplit(4)
            .listener(report -> steps.add(report.step()))
            .listener(
                new TrainingListener() {
                  @Override
                  public void onEvaluation(EvaluationReport report, TrainingControl control) {
                    evaluated.add(report.step());
                  }
                })
            .printTo(out, out)
            .train(folder.resolve("out"));

    assertThat(steps).containsExactly(1, 2);
    assertThat(evaluated).startsWith(0).endsWith(2);
    assertThat(result.reports()).extracting(StepReport::step).containsExactly(1, 2);
    assertThat(printed.toString(StandardCharsets.UTF_8)).contains("start check passed");
  }

  /** Of 6 rows in memory 5 are used, of which 2 are held out; a file for evaluation has 64. */
  @Test
  void rowsInMemoryAndFilesAreLimitedAlike() throws IOException {
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    PrintStream out = new PrintStream(printed, true, StandardCharsets.UTF_8);
    List<PreferencePair> pairs =
        IntStream.range(0, 6).mapToObj(i -> PreferencePair.of("a" + i, " b", " c")).toList();
    PreferenceTuning tuning =
        small(PreferenceTuning.of(TINY_CHAT, pairs)).maxSamples(5).printTo(out, out);

    tuning.evalSplit(2).train(folder.resolve("split"));
    assertThat(printed.toString(StandardCharsets.UTF_8))
        .contains(": 5 of 5 pairs kept; 1 row left out for max_samples\n")
        .contains("seed 42: 2 pairs\n");
    printed.reset();
    tuning.evalFile(PAIRS).train(folder.resolve("file"));
    assertThat(printed.toString(StandardCharsets.UTF_8))
        .contains(": 5 of 5 pairs kept; 1 row left out for max_samples\n")
        .contains("; 59 rows left out for max_samples\n");
    assertThat(Files.readString(folder.resolve("file/README.md")))
        .contains("left out for max_samples: 59");
  }

  @Test
  void evaluationSetsHaveReportsOfTheirOwn() {
    TrainingResult result =
        tiny()
            .evalFiles(Map.of("short", PAIRS))
            .metricForBestModel("short_loss")
            .train(folder.resolve("sets"));
    assertThat(result.evaluations("short")).isEqualTo(result.evaluations()).hasSize(2);
    assertThatThrownBy(() -> tiny().evalFiles(Map.of("a/b", PAIRS)))
        .hasMessageContaining("eval_file must be named with letters, digits, _ and -")
        .hasMessageContaining("a/b");
    // the path of a method that takes no names is never read as one
    assertThatThrownBy(
            () -> tiny().evalFile(Path.of("day=1", "x.jsonl")).train(folder.resolve("none")))
        .hasMessageContaining("./day=1/x.jsonl");
  }

  @Test
  void aRunPrintsNothingUnlessToldTo() {
    PrintStream before = System.out;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
    try {
      tiny().train(folder.resolve("out"));
    } finally {
      System.setOut(before);
    }
    assertThat(printed.toString(StandardCharsets.UTF_8)).isEmpty();
  }

  @Test
  void cancellingEndsTheRunAfterItsStep() {
    Cancellation cancellation = new Cancellation();

    TrainingResult result =
        tiny()
            .maxSteps(100)
            .cancellation(cancellation)
            .listener(report -> cancellation.cancel())
            .train(folder.resolve("out"));

    assertThat(result.endReason()).isEqualTo(EndReason.CANCELLED);
    assertThat(result.steps()).isEqualTo(1);
    try (LanguageModel model = LanguageModel.open(result)) {
      assertThat(model.logProb("a", " b")).isNegative();
    }
  }

  @Test
  void aRunThatIsCancelledBeforeItsFirstStepHasNoModelToOpen() {
    Cancellation cancellation = new Cancellation();
    cancellation.cancel();

    TrainingResult result = tiny().cancellation(cancellation).train(folder.resolve("out"));

    assertThat(result.files()).isEmpty();
    assertThatThrownBy(() -> LanguageModel.open(result)).hasMessageContaining("saved no model");
  }

  @Test
  void anExceptionOfAListenerEndsTheRun() {
    assertThatThrownBy(
            () ->
                tiny()
                    .listener(
                        report -> {
                          throw new IllegalStateException("full");
                        })
                    .train(folder.resolve("out")))
        .isInstanceOf(ListenerException.class)
        .hasRootCauseMessage("full");
  }

  @Test
  void aTrainedAdapterIsOpenedWithItsModel() {
    TrainingResult result =
        tiny()
            .usePeft(true)
            .loraR(2)
            .loraRankPattern(Map.of("q_proj", 3))
            .train(folder.resolve("a"));

    try (LanguageModel tuned = LanguageModel.open(result);
        LanguageModel same = LanguageModel.open(TINY_CHAT, folder.resolve("a"));
        LanguageModel base = LanguageModel.open(TINY_CHAT)) {
      double logProb = tuned.logProb("The sky is", " blue.");
      assertThat(same.logProb("The sky is", " blue.")).isEqualTo(logProb);
      assertThat(base.logProb("The sky is", " blue.")).isNotEqualTo(logProb);
      assertThat(tuned.warnings()).isEmpty();
    }
  }

  @Test
  void aChatTemplateOfOnesOwnRendersThePairs() {
    List<String> rendered = new ArrayList<>();
    ChatTemplate template =
        (messages, addGenerationPrompt, variables) -> {
          String text = messages.stream().map(Message::text).collect(Collectors.joining("|")) + "|";
          synchronized (rendered) {
            rendered.add(text);
          }
          return text;
        };

    tiny().chatTemplate(template).train(folder.resolve("out"));

    assertThat(rendered).isNotEmpty();
  }

  @Test
  void aTokenizerOfOnesOwnEncodesThePairs() {
    List<String> encoded = new ArrayList<>();
    Tokenizer tokenizer =
        new Tokenizer() {
          @Override
          public int[] encode(String text, boolean addSpecialTokens) {
            synchronized (encoded) {
              encoded.add(text);
            }
            return text.chars().map(c -> 10 + c % 100).toArray();
          }

          @Override
          public String decode(int[] ids) {
            return Arrays.toString(ids);
          }
        };

    tiny().tokenizer(tokenizer).maxLength(400).train(folder.resolve("out")); // one id a letter

    assertThat(encoded).isNotEmpty();
  }
}
