package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.dpo4j.DpoException;
import org.dpo4j.config.ChatConfig;
import org.dpo4j.config.CompareConfig;
import org.dpo4j.config.DoctorConfig;
import org.dpo4j.config.DownloadConfig;
import org.dpo4j.config.EvalConfig;
import org.dpo4j.config.ExportConfig;
import org.dpo4j.config.GenerateConfig;
import org.dpo4j.config.InspectConfig;
import org.dpo4j.config.LedgerConfig;
import org.dpo4j.config.MergeConfig;
import org.dpo4j.config.PairsConfig;
import org.dpo4j.config.PlanConfig;
import org.dpo4j.config.ReportConfig;
import org.dpo4j.config.RoundsConfig;
import org.dpo4j.config.SampleConfig;
import org.dpo4j.config.ScoreConfig;
import org.dpo4j.config.ServeConfig;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.demo.DemoConfig;
import org.dpo4j.options.OptionSpec;
import org.dpo4j.options.OptionTable;
import org.dpo4j.report.RunOutput;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes the gap between what is typed and what core is asked to do: options lost or misread on the
 * way, wrong exit codes, stack traces and half messages where one clear line belongs.
 */
class MainTest {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private final Recording runs = new Recording();
  private final Path folder;

  MainTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @BeforeEach
  void makeModelAndPairs() throws IOException {
    Files.createDirectory(folder.resolve("model"));
    Files.writeString(folder.resolve("model/config.json"), "{}");
    Files.writeString(folder.resolve("pairs.jsonl"), "");
  }

  @Test
  void everySpellingOfAnOptionIsTheSame() {
    List<List<String>> spellings =
        List.of(
            List.of("--learning_rate", "5e-7", "--shuffle", "false", "--max_steps", "-1"),
            List.of("--learning-rate", "5e-7", "--shuffle=false", "--max-steps=-1"),
            List.of("--learning_rate=5e-7", "--no_shuffle"),
            List.of("--learning-rate=0.5e-6", "--no-shuffle"),
            List.of("--learning_rate", "5e-7", "--learning_rate=5e-7", "--shuffle", "no"));
    for (List<String> spelling : spellings) {
      assertThat(train(spelling)).as("%s%n%s", spelling, err).isZero();
    }
    assertThat(runs.asked).hasSize(5).containsOnly(runs.asked.get(0));
    TrainingConfig config = (TrainingConfig) runs.asked.get(0);
    assertThat(config.optimizer().learningRate()).isEqualTo(5e-7);
    assertThat(config.data().shuffle()).isFalse();
  }

  private String whatIsSaidOf(List<String> words) {
    err.reset();
    run(words.toArray(String[]::new));
    return err.toString(StandardCharsets.UTF_8);
  }

  @Test
  void everyOptionOfEveryVerbIsAFlagAndOneLineOfItsHelp() {
    Map<String, OptionTable<?>> tables =
        Map.ofEntries(
            Map.entry("download", DownloadConfig.OPTIONS),
            Map.entry("train", TrainingConfig.OPTIONS),
            Map.entry("verify-resume", TrainingConfig.OPTIONS),
            Map.entry("plan", PlanConfig.OPTIONS),
            Map.entry("score", ScoreConfig.OPTIONS),
            Map.entry("eval", EvalConfig.OPTIONS),
            Map.entry("ledger", LedgerConfig.OPTIONS),
            Map.entry("report", ReportConfig.OPTIONS),
            Map.entry("compare", CompareConfig.OPTIONS),
            Map.entry("inspect", InspectConfig.OPTIONS),
            Map.entry("doctor", DoctorConfig.OPTIONS),
            Map.entry("generate", GenerateConfig.OPTIONS),
            Map.entry("chat", ChatConfig.OPTIONS),
            Map.entry("serve", ServeConfig.OPTIONS),
            Map.entry("sample", SampleConfig.OPTIONS),
            Map.entry("pairs", PairsConfig.OPTIONS),
            Map.entry("rounds", RoundsConfig.OPTIONS),
            Map.entry("merge", MergeConfig.OPTIONS),
            Map.entry("export", ExportConfig.OPTIONS),
            Map.entry("demo", DemoConfig.OPTIONS));
    Map<String, Set<String>> unused =
        Map.of("plan", Set.of(PlanConfig.UNUSED), "rounds", RoundsConfig.UNUSED);
    tables.forEach(
        (verb, table) -> {
          String help = output(verb, "--help");
          assertThat(output("help", verb)).isEqualTo(help);
          assertThat(help.lines()).allMatch(line -> line.length() <= 100);
          List<String> words = new ArrayList<>(List.of(verb));
          for (OptionSpec option : table.options()) {
            if (unused.getOrDefault(verb, Set.of()).contains(option.name())) {
              continue;
            }
            assertThat(help.lines().filter(line -> line.startsWith("  --" + option.name() + " ")))
                .as("%s --%s", verb, option.name())
                .singleElement(InstanceOfAssertFactories.STRING)
                .contains(option.help())
                .endsWith(option.defaultText().map(" (%s)"::formatted).orElse(""));
            words.add("--" + option.name() + "=x");
          }
          // Values that break every rule: only a flag that is not known is reported before them.
          assertThat(whatIsSaidOf(words)).doesNotContain("is no option");
          words.add("--nonsense=x");
          assertThat(whatIsSaidOf(words)).contains("--nonsense is no option");
        });
    assertThat(output("train", "--help"))
        .contains("Optimizer:")
        .containsPattern("--per_device_train_batch_size N +examples per micro-batch \\(8\\)")
        .doesNotContain("load_in_4bit");
  }

  @Test
  void flagsWinOverTheConfigFile() throws IOException {
    Path yaml = folder.resolve("run.yaml");
    Files.writeString(
        yaml, "model_name_or_path: org/name\nbeta: 0.5\nlearning_rate: 1e-6\nreport_to: none\n");

    assertThat(train(List.of("--config", yaml.toString(), "--beta", "0.25"))).isZero();
    TrainingConfig config = (TrainingConfig) runs.asked.get(0);
    assertThat(config.loss().beta()).isEqualTo(0.25);
    assertThat(config.model().model()).isEqualTo(folder.resolve("model"));
  }

  @Test
  void aPlanTakesWhatTrainTakesAndNeedsNoOutput() throws IOException {
    Path yaml = folder.resolve("run.yaml");
    Files.writeString(yaml, "beta: 0.5\nreport_to: wandb\noutput_dir: runs/x\n");
    String model = "--model=" + folder.resolve("model");
    String data = "--data_file=" + folder.resolve("pairs.jsonl");

    assertThat(run("plan", model, data, "--memory", "8GB", "--config", yaml.toString())).isZero();
    PlanConfig config = (PlanConfig) runs.asked.get(0);
    assertThat(config.plan().memory()).contains("8GB");
    assertThat(config.training().loss().beta()).isEqualTo(0.5);
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("note: --report_to wandb");
    assertThat(run("plan", model, data)).isZero();
    assertThat(output("plan", "--help")).doesNotContain("output_dir PATH");
    runs.asked.clear();
    assertUsageError(
        new String[] {"plan", model, data, "--memory", "lots"},
        "--memory must be an amount with its unit, as 8GB or 7.5GiB, but was lots");
    assertUsageError(
        new String[] {"plan", model, data, "--bta", "1"},
        "--bta is no option here; did you mean --beta?");
  }

  @Test
  void anOptionGivenTwiceWithTwoValuesIsRefused() {
    assertUsageError(
        command(List.of("--beta", "0.1", "--beta=0.2")),
        "--beta takes one value but got 2, 0.1 and 0.2; keep one");
    assertUsageError(
        command(List.of("--model_name_or_path", "other")), "--model takes one value but got 2");
  }

  @Test
  void unknownWordsAreAnsweredWithTheNearestKnownOne() {
    assertUsageError(new String[] {"trian"}, "unknown command \"trian\"; did you mean train?");
    assertUsageError(
        command(List.of("--bta", "1", "--learnin-rate=2")),
        "--bta is no option here; did you mean --beta?",
        "--learnin_rate is no option here; did you mean --learning_rate?");
    assertUsageError(new String[] {"score", "--loss_type", "ipo"}, "--loss_type is no option here");
    assertUsageError(
        new String[] {"nosuch"}, "unknown command \"nosuch\"; dpo4j --help lists the commands");
    assertUsageError(command(List.of("stray")), "--output_dir takes one value but got 2", "stray");
    assertUsageError(new String[] {"train", "stray"}, "\"stray\" belongs to no option");
  }

  @Test
  void aListIsWrittenInAnyOfTheUsualWays() {
    List<List<String>> ways =
        List.of(
            List.of("--lora_target_modules", "q_proj,v_proj", "--loss_type", "sigmoid,sft"),
            List.of("--lora_target_modules", "q_proj", "v_proj", "--loss-type", "sigmoid", "sft"),
            List.of(
                "--lora_target_modules=q_proj",
                "--lora_target_modules=v_proj",
                "--loss_type=sigmoid,sft"),
            List.of(
                "--lora_target_modules",
                "[\"q_proj\", \"v_proj\"]",
                "--loss_type",
                "[\"sigmoid\", \"sft\"]"));
    for (List<String> way : ways) {
      List<String> words = new ArrayList<>(way);
      words.addAll(List.of("--use_peft", "--loss_weights", "1.0", "0.5"));
      assertThat(train(words)).as("%s%n%s", way, err).isZero();
    }
    assertThat(runs.asked).hasSize(4).containsOnly(runs.asked.get(0));
    TrainingConfig config = (TrainingConfig) runs.asked.get(0);
    assertThat(config.lora().loraTargetModules()).contains(List.of("q_proj", "v_proj"));
    assertThat(config.loss().lossWeights()).contains(List.of(1.0, 0.5));
  }

  @Test
  void aValueMayBeginWithDashes() {
    String model = folder.resolve("model").toString();
    for (String prompt :
        List.of("--verbose means what?", "-h means what?", "- one", "-1", " a b ", "")) {
      assertThat(run("generate", "--model", model, "--prompt", prompt)).as(prompt).isZero();
      GenerateConfig config = (GenerateConfig) runs.asked.get(runs.asked.size() - 1);
      assertThat(config.input().prompt()).hasValue(prompt);
    }
    for (String prompt : List.of("--verbose", "--seed=5 means what?", "-h")) {
      assertThat(run("generate", "--model", model, "--prompt=" + prompt)).as(prompt).isZero();
      GenerateConfig config = (GenerateConfig) runs.asked.get(runs.asked.size() - 1);
      assertThat(config.input().prompt()).hasValue(prompt);
    }
    runs.asked.clear();
    assertUsageError(
        new String[] {"generate", "--model", model, "--prompt", "--verbose"},
        "--prompt needs a value but --verbose stands behind it (write --prompt=--verbose if it is");
    assertUsageError(
        new String[] {"generate", "--model", model, "--prompt", "--raw"},
        "--prompt needs a value but --raw stands behind it");
  }

  @Test
  void aYamlFileAloneAndTheWordHelpAreUnderstood() {
    assertUsageError(
        new String[] {"train", "run.yaml"},
        "\"run.yaml\" belongs to no option; did you mean --config run.yaml?");
    assertThat(output("train", "help")).isEqualTo(output("train", "--help"));
  }

  @Test
  void sftShowsItsOwnDefaultsAndNothingOfPreferenceLosses() {
    assertThat(output("sft", "--help"))
        .containsPattern("--learning_rate X +peak learning rate \\(2e-5\\)")
        .contains("--packing BOOL")
        .doesNotContain("--beta", "--ref_model", "--loss_type");
    assertThat(output("train", "--help")).contains("peak learning rate (1e-6)");
  }

  @Test
  void sftRefusesAnotherLoss() {
    List<String> words =
        new ArrayList<>(List.of("sft", "--model", "../examples/tiny-chat", "--data_file"));
    words.addAll(List.of("../examples/pairs.jsonl", "--output_dir", "none", "--loss_type", "dpop"));
    assertUsageError(words.toArray(String[]::new), "--loss_type is nll in the command sft");
  }

  @Test
  void namesOfOtherToolsAreHinted() {
    assertUsageError(command(List.of("--lora_rank", "8")), "it is called --lora_r here");
    assertUsageError(
        command(List.of("--train_file", "x.json")), "the data are named with --data_file here");
    assertUsageError(command(List.of("--adapter", "lora")), "Axolotl's way to ask for an adapter");
  }

  @Test
  void theStandardStreamIsRefusedWhereItCannotBeUsed() {
    assertUsageError(
        new String[] {"train", "--model", "-", "--data_file", "x", "--output_dir", "y"},
        "--model must be a path but was -");
    assertUsageError(
        new String[] {"score", "--model", "m", "--data_file", "a,-", "--output", "-"},
        "--data_file must be a path but was -");
  }

  @Test
  void whatTheJvmCouldNotDecodeIsRefused() {
    assertUsageError(
        new String[] {"generate", "--model", "m", "--prompt", "Gr\uFFFD\uFFFD"},
        "not in the character set of the locale",
        "LC_ALL=C.UTF-8");
  }

  @Test
  void allThatIsMissingIsListedWithAnExample() {
    assertUsageError(
        new String[] {"train"},
        "--model, --data_file, --output_dir are required but missing",
        "./dpo4j train --model");
    assertUsageError(new String[] {"train", "--beta"}, "--beta needs a value");
    assertUsageError(
        new String[] {"generate", "--model", folder.resolve("model").toString()},
        "pass --prompt TEXT or --prompts_file FILE");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--bf16_full_eval true",
        "--fp16",
        "--load_in_4bit",
        "--deepspeed zero3.json",
        "--loss_type sigmoid kto_pair",
        "--loss_type exo_pair",
        "--device tpu",
        "--lr_scheduler_type reduce_lr_on_plateau",
        "--lr_scheduler_type cosine_with_min_lr",
        "--resume_from_checkpoint out/checkpoint-5",
        "--no_disable_dropout",
        "--eval_strategy steps"
      })
  void whatCannotBeDoneIsRefusedBeforeAnyWork(String words) {
    assertThat(train(List.of(words.split(" ")))).isEqualTo(2);
    assertThat(runs.asked).isEmpty();
    assertThat(err.toString(StandardCharsets.UTF_8)).startsWith("error: ");
  }

  @Test
  void pathsThatLeadNowhereAreUsageErrors() {
    assertUsageError(
        new String[] {"inspect", "--model", "org/name", "--data_file", "x"},
        "./dpo4j download org/name --output_dir name, and pass that folder");
    assertUsageError(
        new String[] {"inspect", "--model", folder.toString(), "--data_file", "x"},
        "must be a checkpoint folder with a config.json");
    assertUsageError(
        new String[] {
          "inspect", "--model", folder.resolve("model").toString(), "--data_file", "none.jsonl"
        },
        "--data_file must be a file that can be read but was none.jsonl, which is not there (seen"
            + " from "
            + Path.of("").toAbsolutePath()
            + "); check the path");
    assertUsageError(
        command(
            List.of("--eval_file", folder.resolve("*.csv").toString(), "--eval_strategy", "epoch")),
        "--eval_file must match at least one file",
        "*.csv matches none");
  }

  @Test
  void failuresGiveOneLineAndTheirExitCode() {
    assertFailure(new DpoException("pairs.jsonl:3: bad"), "error: pairs.jsonl:3: bad\n");
    assertFailure(
        new IllegalStateException("first\n  at native code"),
        "error: internal error: IllegalStateException: first; run again with --debug, and please"
            + " report it\n");
    assertFailure(
        new OutOfMemoryError("Java heap space"),
        "error: out of memory in the Java heap of %d MB: Java heap space\n       raise it with"
                .formatted(Runtime.getRuntime().maxMemory() >> 20)
            + " DPO4J_JAVA_OPTS=-Xmx4g in the environment");
    assertFailure(
        new OutOfMemoryError("Cannot reserve 64 bytes of direct buffer memory"),
        "error: out of memory for direct buffers: Cannot reserve 64 bytes of direct buffer memory\n"
            + "       raise the limit with DPO4J_JAVA_OPTS=-XX:MaxDirectMemorySize=2g");
    assertFailure(
        new OutOfMemoryError("Metaspace"),
        "error: out of memory for classes: Metaspace\n"
            + "       raise the limit with DPO4J_JAVA_OPTS=-XX:MaxMetaspaceSize=256m");
    assertFailure(
        new OutOfMemoryError("unable to create native thread: possibly out of memory"),
        "error: out of memory or process numbers for threads: ");
    assertFailure(
        new RuntimeException("DefaultCPUAllocator: can't allocate memory\nException raised from"),
        "error: out of memory: DefaultCPUAllocator: can't allocate memory\n");
  }

  @Test
  void debugAnywhereShowsTheStackTrace() {
    runs.failure = new DpoException("bad");

    assertThat(run("demo", "--debug", "--steps", "3")).isEqualTo(1);
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("\tat org.dpo4j.cli");
    err.reset();
    assertThat(run("--debug", "demo")).isEqualTo(1);
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("\tat org.dpo4j.cli");
  }

  @Test
  void versionNamesTheProgramTheJvmAndTheEngine() {
    assertThat(run("--version")).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8))
        .matches("dpo4j \\d+\\.\\d+\\.\\d+\\R(?s)JDK " + Runtime.version().feature() + ".*")
        .containsPattern("libtorch 2\\.\\d+\\.\\d+");
  }

  @Test
  void theVerbsAreShownWithoutArgumentsAndInTheCompletion() {
    assertThat(run()).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8)).contains("train", "score", "inspect", "demo");
    out.reset();
    assertThat(run("completion")).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8))
        .contains("complete -F", "--learning_rate")
        .doesNotContain("--load_in_4bit");
  }

  @Test
  void theOtherVerbsReachTheirRuns() {
    String model = folder.resolve("model").toString();
    String pairs = folder.resolve("pairs.jsonl").toString();

    assertThat(run("score", "--model", model, "--data-file", pairs, "--output", "s")).isZero();
    assertThat(run("inspect", "--model", model, "--data_file", pairs)).isZero();
    assertThat(run("generate", "--model", model, "--prompt", "none", "--raw")).isZero();
    assertThat(run("demo", "--compare", "--reference", "distilled")).isZero();

    assertThat(((ScoreConfig) runs.asked.get(0)).maxLength()).isZero();
    assertThat(((InspectConfig) runs.asked.get(1)).output()).isEmpty();
    assertThat(((GenerateConfig) runs.asked.get(2)).input().prompt()).hasValue("none");
    assertThat(((GenerateConfig) runs.asked.get(2)).raw()).isTrue();
    DemoConfig demo = (DemoConfig) runs.asked.get(3);
    assertThat(demo.reference()).isEqualTo(DemoConfig.Reference.DISTILLED);
    assertThat(demo.compare()).isTrue();
    assertThat(demo.steps()).isEqualTo(30);
    assertThat(demo.beta()).isEqualTo(0.2);
    assertThat(demo.learningRate()).isEqualTo(1e-4);
    assertThat(demo.perDeviceTrainBatchSize()).isEqualTo(12);
  }

  @Test
  void aDownloadTakesItsNameAsTheFirstWordOrAsAnOption() {
    assertThat(run("download", "org/name", "--output-dir", "o", "--include", "*.json", "*.txt"))
        .as(err.toString(StandardCharsets.UTF_8))
        .isZero();
    assertThat(run("download", "--repo_id=org/name", "--local-dir", "o", "--include=*.json,*.txt"))
        .isZero();
    assertThat(run("download", "--output_dir", "o", "org/name", "--include", "*.json", "*.txt"))
        .isZero();
    assertThat(run("download", "--include", "*.json", "*.txt", "--output_dir", "o", "org/name"))
        .isZero();
    assertThat(runs.asked).hasSize(4).containsOnly(runs.asked.get(0));
    DownloadConfig config = (DownloadConfig) runs.asked.get(0);
    assertThat(config.repoId()).isEqualTo("org/name");
    assertThat(config.outputDir()).isEqualTo(Path.of("o"));
    assertThat(config.include()).contains(List.of("*.json", "*.txt"));
    assertThat(config.revision()).isEqualTo("main");
    assertThat(output("download", "--help"))
        .contains("Usage: dpo4j download ORG/NAME --output_dir PATH [OPTIONS]");
    runs.asked.clear();
    assertUsageError(
        new String[] {"download", "a/b", "--repo_id", "c/d", "--output_dir", "o"},
        "--repo_id is given twice but a/b stands without its name; keep one");
    assertUsageError(
        new String[] {"download", "a/b", "c/d", "--output_dir", "o"},
        "\"c/d\" belongs to no option");
    assertUsageError(
        new String[] {"download", "--output_dir", "my", "models", "a/b"},
        "\"a/b\" belongs to no option");
    assertUsageError(
        new String[] {"download"},
        "--repo_id, --output_dir are required but missing",
        "./dpo4j download HuggingFaceTB/SmolLM2-135M-Instruct --output_dir");
  }

  private void assertUsageError(String[] words, String... parts) {
    err.reset();
    assertThat(run(words)).isEqualTo(2);
    assertThat(err.toString(StandardCharsets.UTF_8))
        .startsWith("error: ")
        .contains(parts)
        .doesNotContain("\tat ");
    assertThat(runs.asked).isEmpty();
  }

  private void assertFailure(Throwable failure, String firstLine) {
    err.reset();
    runs.failure = failure;
    assertThat(run("demo")).isEqualTo(1);
    assertThat(err.toString(StandardCharsets.UTF_8).replace(System.lineSeparator(), "\n"))
        .startsWith(firstLine)
        .doesNotContain("\tat ", "native code", "Exception raised");
  }

  private String output(String... words) {
    out.reset();
    assertThat(run(words)).isZero();
    return out.toString(StandardCharsets.UTF_8);
  }

  private int train(List<String> more) {
    return run(command(more));
  }

  private String[] command(List<String> more) {
    return Stream.concat(
            Stream.of(
                "train",
                "--model",
                folder.resolve("model").toString(),
                "--data_file",
                folder.resolve("pairs.jsonl").toString(),
                "--output_dir",
                folder.resolve("out").toString()),
            more.stream())
        .toArray(String[]::new);
  }

  private int run(String... words) {
    Console console =
        new Console(
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            false);
    return new Main(runs, console).run(Arrays.copyOf(words, words.length));
  }

  /** Keeps the configurations of runs in place of running them; fails on request. */
  private static final class Recording implements Runner {
    private final List<Object> asked = new ArrayList<>();
    private Throwable failure = new Throwable("none");

    @Override
    public <C> void run(C config, BiConsumer<C, RunOutput> work) {
      if (failure instanceof RuntimeException exception) {
        throw exception;
      }
      if (failure instanceof Error error) {
        throw error;
      }
      asked.add(config);
    }
  }
}
