package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.run.RunFixture.output;
import static org.dpo4j.run.RunFixture.stream;
import static org.dpo4j.run.RunFixture.suspending;
import static org.dpo4j.run.RunFixture.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.dpo4j.Cancellation;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.config.RoundsConfig;
import org.dpo4j.data.Sha256;
import org.dpo4j.options.GivenValue;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes rounds that train on answers of another model than the last one, that do a phase twice or
 * not at all after an interruption, and that build on files that were changed in between.
 */
class RoundsRunTest {

  private static final Path TINY_CHAT = Path.of("..", "examples", "tiny-chat");

  private static final RoundsRun.Training TRAINING =
      (config, output) -> TrainingRun.run(config, output);

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  RoundsRunTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @BeforeEach
  void writePrompts() throws IOException {
    Files.writeString(
        folder.resolve("p.jsonl"),
        """
        {"prompt": [{"role": "user", "content": "What is 7 times 12?"}], "own": "84."}
        {"prompt": [{"role": "user", "content": "Name a color."}], "own": [{"role": "assistant", "content": "Red."}]}
        {"prompt": [{"role": "user", "content": "Hello"}], "own": "Hi."}
        """);
  }

  private RoundsConfig config(String name, Object... more) {
    Map<String, GivenValue> options = new LinkedHashMap<>();
    options.put("model", GivenValue.of(TINY_CHAT));
    options.put("prompts_file", GivenValue.of(folder.resolve("p.jsonl")));
    options.put("output_dir", GivenValue.of(folder.resolve(name)));
    options.put("judge", GivenValue.of("length"));
    options.put("prefer", GivenValue.of("shorter"));
    options.put("rounds", GivenValue.of(2));
    options.put("num_return_sequences", GivenValue.of(3));
    options.put("max_new_tokens", GivenValue.of(32));
    options.put("max_steps", GivenValue.of(2));
    options.put("sample_prompts", GivenValue.of(0));
    options.put("logging_steps", GivenValue.of(1));
    options.put("save_steps", GivenValue.of(1));
    options.put("learning_rate", GivenValue.of("1e-3"));
    options.put("resume", GivenValue.of(true));
    for (int i = 0; i < more.length; i += 2) {
      if (more[i + 1].equals("")) {
        options.remove((String) more[i]);
      } else {
        options.put((String) more[i], GivenValue.of(more[i + 1]));
      }
    }
    return RoundsConfig.resolve(Map.of(), options, notice -> {});
  }

  private boolean rounds(String name, Object... more) {
    return RoundsRun.run(config(name, more), output(out), new Cancellation(), TRAINING);
  }

  private Path file(String name) {
    return folder.resolve(name);
  }

  private List<JsonNode> rows(String name) throws IOException {
    return Files.readAllLines(file(name)).stream().map(JsonMapper.shared()::readTree).toList();
  }

  private List<String> phases(String name) throws IOException {
    List<String> phases = new ArrayList<>();
    JsonMapper.shared()
        .readTree(Files.readString(file(name).resolve("rounds.json")))
        .get("phases")
        .forEach(phase -> phases.add(phase.get("file").asString()));
    return phases;
  }

  @Test
  void aRoundAnswersWithTheModelOfTheLastOne() throws IOException {
    assertThat(rounds("r")).isTrue();

    assertThat(phases("r"))
        .containsExactly(
            "round-1/samples.jsonl",
            "round-1/scores.jsonl",
            "round-1/pairs.jsonl",
            "round-1/model",
            "round-2/samples.jsonl",
            "round-2/scores.jsonl",
            "round-2/pairs.jsonl",
            "round-2/model",
            "round-2/evaluation.jsonl",
            "round-2/evaluation-scores.jsonl");
    assertThat(Files.readString(file("r/round-2/model/dpo4j.yaml")))
        .contains("model: " + file("r/round-1/model"), "data_file:", "r/round-2/pairs.jsonl");
    assertThat(rows("r/round-1/samples.jsonl")).isNotEqualTo(rows("r/round-2/samples.jsonl"));
    // The evaluation is of the last model: sampling it again with the same numbers gives its rows.
    SampleRun.run(
        config("r")
            .sampling(0, Optional.of(file("r/round-2/model")), file("p.jsonl"), file("again")),
        output(out));
    assertThat(file("again")).hasSameTextualContentAs(file("r/round-2/evaluation.jsonl"));
    assertThat(Files.readString(file("r/report.md")))
        .contains("| round |", "| start |", "| 1 |", "| 2 |");
    assertThat(file("r/rounds.png")).isNotEmptyFile();
  }

  /** Answers that begin with a letter of the first half of the alphabet: easy to learn. */
  @Test
  void thePassRateRisesOverThreeRounds() throws IOException {
    rounds(
        "r",
        "judge",
        "regex",
        "prefer",
        "",
        "pattern",
        "^[A-M]",
        "rounds",
        3,
        "num_return_sequences",
        8,
        "max_new_tokens",
        4,
        "max_steps",
        6,
        "per_device_train_batch_size",
        3,
        "learning_rate",
        "3e-4",
        "loss_type",
        "sigmoid,sft",
        "save_strategy",
        "no");
    List<Double> rates = new ArrayList<>();
    JsonMapper.shared()
        .readTree(Files.readString(file("r/rounds.json")))
        .get("phases")
        .forEach(
            phase -> {
              JsonNode answers = phase.get("figures").get("answers");
              if (!answers.isNull()) {
                rates.add(answers.get("passRate").asDouble());
              }
            });
    assertThat(rates).hasSizeBetween(2, 4);
    assertThat(rates.get(rates.size() - 1)).isGreaterThan(rates.get(0) + 0.2);
  }

  @Test
  void withPromptsToEvaluateOnEachModelIsScoredOnThem() throws IOException {
    Files.writeString(file("e.txt"), "Name a fruit.\n");
    rounds("r", "eval_prompts_file", file("e.txt"), "rounds", 1);
    assertThat(phases("r"))
        .containsSubsequence(
            "start/evaluation.jsonl",
            "start/evaluation-scores.jsonl",
            "round-1/model",
            "round-1/evaluation.jsonl");
    assertThat(rows("r/round-1/evaluation.jsonl")).hasSize(1);
  }

  /** The pairs of a judge have the scores that give the offset of ODPO; those of SPIN have none. */
  @Test
  void theScoresOfAJudgeAreTheOffsetsOfAPair() throws IOException {
    assertThat(rounds("r", "loss_type", "odpo", "rounds", 1)).isTrue();
    double sum = 0;
    List<JsonNode> pairs = rows("r/round-1/pairs.jsonl");
    for (JsonNode pair : pairs) {
      sum += pair.get("score_chosen").asDouble() - pair.get("score_rejected").asDouble();
    }
    assertThat(pairs).isNotEmpty();
    assertThat(sum).isPositive();
    assertThat(text(out)).contains("the offset from \"score_chosen\" and \"score_rejected\"");
    assertThatThrownBy(
            () ->
                config("s", "loss_type", "odpo", "judge", "", "prefer", "", "chosen_column", "own"))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "loss_type odpo takes the offset of a pair from the scores of a judge but the pairs of"
                + " chosen_column have no scores; pass judge in its place, or use loss_type sigmoid");
  }

  /** What a process that dies in the middle leaves behind. */
  private static final class Death extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  /** Dies when a task has done some of its pieces for the n-th time. */
  private RunOutput dying(int updates) {
    int[] left = {updates};
    Progress progress =
        (task, done, total, note) -> {
          if (--left[0] < 0) {
            throw new Death();
          }
        };
    return new RunOutput(stream(out), stream(out), progress);
  }

  @Test
  void aRunThatDiesInAnyPhaseContinuesToTheSameBytes() throws IOException {
    rounds("whole");
    Map<String, String> whole = hashes("whole");
    int deaths = 0;
    for (int updates = 1; ; updates += 3) {
      try {
        RoundsRun.run(config("broken"), dying(updates), new Cancellation(), TRAINING);
        break;
      } catch (Death e) {
        deaths++;
      }
    }
    assertThat(deaths).isGreaterThan(4);
    assertThat(hashes("broken")).isEqualTo(whole);
    assertThat(text(out)).contains("continues after round-1/", "continues after round-2/");
  }

  /**
   * Hashes of all files that do not tell a time or a place. The last digits of sampled
   * log-probabilities depend on which completions are generated together.
   */
  private Map<String, String> hashes(String name) throws IOException {
    Map<String, String> hashes = new TreeMap<>();
    try (Stream<Path> files = Files.walk(file(name))) {
      for (Path path : files.filter(Files::isRegularFile).toList()) {
        String inside = file(name).relativize(path).toString();
        if ((inside.endsWith(".jsonl") && !inside.matches(".*(metrics|ledger)\\.jsonl"))
            || inside.endsWith("model/model.safetensors")) {
          String digits = "\"cumulative_logprob\":[^,]+";
          hashes.put(
              inside,
              inside.endsWith(".jsonl")
                  ? Files.readString(path).replaceAll(digits, "")
                  : Sha256.of(path));
        }
      }
    }
    assertThat(hashes).hasSizeGreaterThan(5);
    return hashes;
  }

  @Test
  void aSuspendedTrainingEndsTheRunAndContinues() throws IOException {
    rounds("whole", "rounds", 1);
    Cancellation cancellation = new Cancellation();
    boolean done =
        RoundsRun.run(
            config("broken", "rounds", 1),
            output(out),
            cancellation,
            (config, output) ->
                TrainingRun.run(
                    config,
                    ProgramInputs.NONE,
                    output,
                    cancellation,
                    List.of(suspending(cancellation, 1))));
    assertThat(done).isFalse();
    assertThat(phases("broken")).last().isEqualTo("round-1/pairs.jsonl");

    assertThat(rounds("broken", "rounds", 1)).isTrue();
    assertThat(hashes("broken")).isEqualTo(hashes("whole"));
  }

  @Test
  void aFinishedRunTakesFurtherRounds() throws IOException {
    rounds("two");
    rounds("one", "rounds", 1);
    assertThat(rounds("one")).isTrue();
    assertThat(Sha256.of(file("one/round-2/model/model.safetensors")))
        .isEqualTo(Sha256.of(file("two/round-2/model/model.safetensors")));
    assertThat(rounds("one")).as("nothing is left to do").isTrue();
  }

  @Test
  void theModelOfARoundWhoseSuccessorIsDoneMayBeRemoved() throws IOException {
    rounds("r");
    Files.move(file("r/round-1/model"), file("elsewhere"));
    assertThat(rounds("r", "rounds", 3)).isTrue();

    Files.move(file("r/round-3/model"), file("moved"));
    assertThatThrownBy(() -> rounds("r", "rounds", 3))
        .hasMessageContaining("round-3/model] has been removed since its phase was done");
  }

  @Test
  void aRunIsNotContinuedWithOtherOptionsInputsOrFiles() throws IOException {
    rounds("r", "rounds", 1);
    assertThatThrownBy(() -> rounds("r", "resume", false))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("holds a run of rounds; pass resume true");
    assertThatThrownBy(() -> rounds("r", "temperature", 0.9, "beta", 0.2))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("temperature was 1 and is now 0.9, beta was 0.1 and is now 0.2");
    rounds("r", "rounds", 1, "threads", 1, "logging_steps", 2);

    Path samples = file("r/round-1/samples.jsonl");
    String before = Files.readString(samples);
    Files.writeString(samples, "\n", StandardOpenOption.APPEND);
    assertThatThrownBy(() -> rounds("r"))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("samples.jsonl] has changed since its phase was done");
    Files.writeString(samples, before);
    Path weights = file("r/round-1/model/model.safetensors");
    byte[] bytes = Files.readAllBytes(weights);
    bytes[bytes.length - 1] ^= 1;
    Files.write(weights, bytes);
    assertThatThrownBy(() -> rounds("r")).hasMessageContaining("model] has changed");
    bytes[bytes.length - 1] ^= 1;
    Files.write(weights, bytes);

    Files.writeString(file("p.jsonl"), "{\"prompt\": \"x\"}\n", StandardOpenOption.APPEND);
    assertThatThrownBy(() -> rounds("r"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("prompts_file must be what the run began with");
  }

  @Test
  void aRunDoesNotLoseRoundsAndNoticesAnotherTemplateOfItsModel() throws IOException {
    Path model = Files.createDirectory(file("model"));
    try (Stream<Path> files = Files.list(TINY_CHAT)) {
      for (Path path : files.toList()) {
        Files.copy(path, model.resolve(path.getFileName().toString()));
      }
    }
    rounds("r", "model", model);
    assertThatThrownBy(() -> rounds("r", "model", model, "rounds", 1))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("rounds must be at least 2, the rounds that the run has begun, but");
    assertThatThrownBy(() -> rounds("r", "model", model, "save_dtype", "bfloat16"))
        .hasMessageContaining("save_dtype was auto and is now bfloat16");
    Files.writeString(
        model.resolve("chat_template.jinja"), "{# other #}", StandardOpenOption.APPEND);
    assertThatThrownBy(() -> rounds("r", "model", model))
        .hasMessageContaining("model must be what the run began with");
  }

  @Test
  void aJudgeThatCannotRunEndsTheRunAndLeavesNoScores() throws IOException {
    Object[] judge = {"judge", "command", "prefer", "", "command", "./not-there"};
    assertThatThrownBy(() -> rounds("r", judge))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("not-there");
    assertThat(phases("r")).containsExactly("round-1/samples.jsonl");
  }

  @Test
  void jsonLinesAreAloneOnStandardOutput() {
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    RoundsRun.run(
        config("r", "log_format", "json", "rounds", 1),
        output(out, err),
        new Cancellation(),
        TRAINING);
    assertThat(text(out).lines()).isNotEmpty().allMatch(line -> line.startsWith("{"));
    assertThat(text(err)).contains("== round 1 of 1: sample answers", "3 prompts, 9 completions");
  }

  @Test
  void aFolderOfSomethingElseAndADamagedJournalAreRefused() throws IOException {
    Files.createDirectory(file("r"));
    Files.writeString(file("r/mine.txt"), "x");
    assertThatThrownBy(() -> rounds("r"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("output_dir must be new or empty but");
    Files.writeString(file("r/rounds.json"), "{\"format\": ");
    assertThatThrownBy(() -> rounds("r"))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("rounds.json] is damaged");
    Files.writeString(
        file("r/rounds.json"),
        "{\"format\":\"dpo4j-rounds\",\"version\":2,\"writtenBy\":\"9\",\"identity\":{},\"options\":{},\"phases\":[]}");
    assertThatThrownBy(() -> rounds("r")).hasMessageContaining("is dpo4j-rounds, version 2;");
  }

  @Test
  void inSpinTheRowsOwnCompletionIsChosenAndRowsOfTheLastRoundStay() throws IOException {
    rounds("r", "judge", "", "prefer", "", "chosen_column", "own", "data_rounds", 2);

    List<JsonNode> rows = rows("r/round-1/pairs.jsonl");
    assertThat(rows).hasSizeBetween(7, 9);
    assertThat(rows.get(0).get("chosen"))
        .hasToString("[{\"role\":\"assistant\",\"content\":\"84.\"}]");
    assertThat(rows)
        .anyMatch(row -> row.get("chosen").get(0).get("content").asString().equals("Red."));
    assertThat(phases("r")).noneMatch(phase -> phase.contains("scores"));
    assertThat(Files.readString(file("r/round-2/model/dpo4j.yaml")))
        .contains("r/round-1/pairs.jsonl", "r/round-2/pairs.jsonl");
    assertThatThrownBy(() -> rounds("s", "judge", "", "prefer", "", "chosen_column", "none"))
        .hasMessageContaining("chosen_column must name a column of every row of prompts");
  }

  @Test
  void labelledCompletionsAreTrainedOnWithTheirLoss() throws IOException {
    rounds("r", "loss_type", "apo_zero_unpaired", "threshold", -4, "rounds", 1);
    assertThat(rows("r/round-1/pairs.jsonl"))
        .allMatch(row -> row.has("label") && row.has("completion"));
    assertThatThrownBy(() -> rounds("s", "loss_type", "apo_zero_unpaired"))
        .hasMessageContaining("labels need threshold with judge length");
    assertThatThrownBy(() -> rounds("s", "loss_type", "nll"))
        .hasMessageContaining("loss_type must be a loss of pairs or of completions with a label");
  }

  @Test
  void anAdapterIsTrainedOnThroughAllRounds() throws IOException {
    rounds("r", "use_peft", true, "lora_r", 2);
    assertThat(Files.readString(file("r/round-2/model/dpo4j.yaml")))
        .contains("adapter: " + file("r/round-1/model"), "model: " + TINY_CHAT);
    assertThat(rows("r/round-1/samples.jsonl")).isNotEqualTo(rows("r/round-2/samples.jsonl"));
    assertThat(file("r/round-2/model/adapter_model.safetensors")).isNotEmptyFile();
  }

  @Test
  void answersThatAreAllEqualEndTheRun() throws IOException {
    Object[] always = {"judge", "regex", "prefer", "", "pattern", "(?s).*", "max_new_tokens", 8};
    assertThatThrownBy(() -> rounds("r", always))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("the answers of round 1 give nothing to train on");
  }

  @Test
  void optionsThatRoundsSetsItselfAreRefused() {
    assertThatThrownBy(() -> config("r", "data_file", "x.jsonl"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("data_file is not an option of rounds");
    assertThatThrownBy(() -> config("r", "judge", ""))
        .hasMessageContaining("prefer has no effect without judge");
    assertThatThrownBy(() -> config("r", "judge", "", "prefer", ""))
        .hasMessageContaining("judge or chosen_column is required");
    assertThatThrownBy(() -> config("r", "prompts_file", "", "model", "", "output_dir", ""))
        .hasMessage("prompts_file, model, output_dir are required but missing");
    assertThatThrownBy(() -> config("r", "num_return_sequences", 1))
        .hasMessageContaining("must be at least 2 to make pairs");
    assertThatThrownBy(() -> config("r", "judge", "scores", "prefer", "", "scores_file", "s.jsonl"))
        .hasMessageContaining("must score any completion");
  }
}
