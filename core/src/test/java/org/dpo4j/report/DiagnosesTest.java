package org.dpo4j.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.StepReport;
import org.dpo4j.report.Diagnoses.Symptom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;

/**
 * Closes: a run that is ill in a known way without a word, and a healthy one that is doubted. The
 * histories are those of real runs: of {@code tiny-chat} with other seeds, losses, rates, batches
 * and adapters, and three of TRL's; runs made to be ill have a rate, a number of passes or a
 * reference that is wrong on purpose.
 */
class DiagnosesTest {

  private static final int FEWEST_HEALTHY = 20;

  private final Path folder;

  DiagnosesTest(@TempDir Path folder) {
    this.folder = folder;
  }

  private record Run(String name, String json, Set<String> symptoms) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static List<Run> runs(String file) throws IOException {
    try (InputStream in =
        Objects.requireNonNull(DiagnosesTest.class.getResourceAsStream("diagnoses/" + file))) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8)
          .lines()
          .map(DiagnosesTest::run)
          .toList();
    }
  }

  private static Run run(String line) {
    JsonNode run = JsonMapper.shared().readTree(line);
    return new Run(
        run.get("name").asString(),
        line,
        run.path("symptoms").valueStream().map(JsonNode::asString).collect(Collectors.toSet()));
  }

  static List<Run> healthy() throws IOException {
    return runs("healthy.jsonl");
  }

  static List<Run> sick() throws IOException {
    return runs("sick.jsonl");
  }

  private RunHistory history(String json) throws IOException {
    return TrainerState.readHistory(Files.writeString(folder.resolve("trainer_state.json"), json));
  }

  private static double rate(RunHistory history) {
    return history.steps().stream().mapToDouble(StepReport::learningRate).max().orElseThrow();
  }

  @ParameterizedTest
  @MethodSource("healthy")
  void aHealthyRunHasNoSymptom(Run run) throws IOException {
    RunHistory history = history(run.json());
    assertThat(Diagnoses.of(history, rate(history), true)).isEmpty();
  }

  /** As a guard sees the run: after each log line and evaluation. */
  @ParameterizedTest
  @MethodSource("healthy")
  void noPartOfAHealthyRunIsStoppedByAGuard(Run run) throws IOException {
    RunHistory whole = history(run.json());
    List<String> stops = new ArrayList<>();
    for (int end = 1; end <= whole.log().size(); end++) {
      JsonNode cut = JsonMapper.shared().readTree(run.json());
      ArrayNode log = (ArrayNode) cut.get("log_history");
      while (log.size() > end) {
        log.remove(log.size() - 1);
      }
      if (!cut.toString().contains("\"loss\"")) {
        continue; // before the first step
      }
      RunHistory part = history(cut.toString());
      Set<Symptom> found = Diagnoses.of(part, rate(whole), true).keySet();
      Stream.of(Guard.values())
          .filter(guard -> found.contains(guard.symptom()))
          .forEach(guard -> stops.add(guard + " at " + part.lastStep().orElseThrow().step()));
    }
    assertThat(stops).isEmpty();
  }

  @Test
  void thereAreEnoughHealthyRuns() throws IOException {
    assertThat(healthy()).hasSizeGreaterThanOrEqualTo(FEWEST_HEALTHY);
  }

  @ParameterizedTest
  @MethodSource("sick")
  void aRunMadeToBeIllHasItsSymptomsAndNoOther(Run run) throws IOException {
    RunHistory history = history(run.json());
    Set<String> found =
        Diagnoses.of(history, rate(history), true).keySet().stream()
            .map(Symptom::name)
            .collect(Collectors.toCollection(TreeSet::new));
    assertThat(found).isEqualTo(run.symptoms());
  }

  @Test
  void everySymptomIsShownByARun() throws IOException {
    assertThat(sick().stream().flatMap(run -> run.symptoms().stream()))
        .containsAll(Stream.of(Symptom.values()).map(Symptom::name).toList());
  }

  @Test
  void aDiagnosisHasTheNumbersThatItRestsOn() throws IOException {
    Run over = sick().stream().filter(run -> run.name().equals("over")).findFirst().orElseThrow();
    RunHistory history = history(over.json());
    assertThat(Diagnoses.of(history, 2e-4, true).get(Symptom.OVER_OPTIMISED))
        .contains(
            "was lowest at step 15 (0.6275) and ended at 0.9484",
            "grew from +0.00 to +7.87",
            "load_best_model_at_end");
  }

  @Test
  void anotherReferenceIsNoSymptomWhereItIsKnown() throws IOException {
    Run other =
        sick().stream().filter(run -> run.name().equals("otherref")).findFirst().orElseThrow();
    assertThat(Diagnoses.of(history(other.json()), 1e-4, false)).isEmpty();
  }

  /** As TRL 1.16 writes several sets: the loss with the set's name, the rewards without it. */
  @Test
  void setsOfTrlAreReadByTheirNames() throws IOException {
    RunHistory history =
        history(
            """
            {"max_steps": 4, "log_history": [
              {"step": 2, "loss": 0.5, "grad_norm": 1.5, "learning_rate": 1e-5, "epoch": 0.5,
               "rewards/accuracies": 1.0, "rewards/margins": 0.25},
              {"step": 2, "eval_short_loss": 0.25, "eval_short_runtime": 2.0,
               "eval_short_samples_per_second": 3.0, "eval_rewards/accuracies": 1.0,
               "eval_rewards/margins": 0.75, "epoch": 0.5},
              {"step": 4, "train_loss": 0.5, "train_runtime": 3.0}]}
            """);
    assertThat(history.steps()).hasSize(1);
    assertThat(history.steps().get(0).metrics().rewardsMargins()).isEqualTo(0.25);
    assertThat(history.evaluations())
        .singleElement()
        .satisfies(
            report -> {
              assertThat(report.dataset()).isEqualTo("short");
              assertThat(report.examples()).isEqualTo(6);
              assertThat(report.metrics().loss()).isEqualTo(0.25);
              assertThat(report.metrics().rewardsMargins()).isEqualTo(0.75);
            });
  }

  @Test
  void whatIsNoHistoryIsRefusedByItsFile() {
    assertThatThrownBy(() -> history("{"))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("trainer_state.json] is not valid JSON");
    assertThatThrownBy(() -> history("{}")).hasMessageContaining("must have a list log_history");
    assertThatThrownBy(() -> history("{\"log_history\": [{\"train_loss\": 1.0}]}"))
        .hasMessageContaining("has no logged step with a loss");
    assertThatThrownBy(() -> history(twoLosses("1", "1")))
        .hasMessageContaining("must be whole numbers that grow, but 1 follows 1");
    assertThatThrownBy(() -> history(twoLosses("-3", "1")))
        .hasMessageContaining("must be whole numbers that grow, but -3 follows 0");
    assertThatThrownBy(() -> history(twoLosses("1", "1.5")))
        .hasMessageContaining("must be whole numbers that grow, but 1.5 follows 1");
  }

  /** As Python's json module writes it. */
  @Test
  void aLossThatIsNotANumberIsRead() throws IOException {
    RunHistory history = history(twoLosses("1", "2").replace("0.25", "NaN"));
    assertThat(history.steps().get(1).metrics().loss()).isNaN();
    assertThat(
            new Conclusion(
                    history, OptionalDouble.empty(), OptionalDouble.empty(), 1e-4, true, true)
                .summary())
        .contains("The run made the model worse: the loss of the training pairs rose.");
  }

  @Test
  void numbersThatNoRunLogsAreRefused() {
    assertThatThrownBy(() -> history(twoLosses("1", "2").replace("0.25", "1e308")))
        .isInstanceOf(DpoException.class)
        .hasMessageEndingWith(
            "trainer_state.json] the numbers of logged steps must be in the range of float32, but"
                + " loss at step 2 is 1e+308");
  }

  /** Transformers writes neither where {@code eval_runtime} is left out or rounded to 0. */
  @Test
  void anUnknownNumberOfExamplesIsNotCalledZero() throws IOException {
    for (String time : List.of("", ", \"eval_runtime\": 0.0, \"eval_samples_per_second\": 5.0")) {
      assertThat(summary(evaluations(time))).contains("held-out examples: loss 0.5 -> 0.25");
    }
  }

  @Test
  void onlyALossOfTokensHasAPerplexity() throws IOException {
    String times = ", \"eval_runtime\": 2.0, \"eval_samples_per_second\": 5.0";
    assertThat(summary(evaluations(times + ", \"eval_accuracy\": 0.5")))
        .contains("10 held-out examples: loss 0.5 -> 0.25");
    assertThat(summary(evaluations(times + ", \"eval_mean_token_accuracy\": 0.5")))
        .contains("10 held-out examples: loss 0.5 -> 0.25, perplexity 1.649 -> 1.284");
  }

  private List<String> summary(String json) throws IOException {
    return new Conclusion(
            history(json), OptionalDouble.empty(), OptionalDouble.empty(), 1e-4, true, true)
        .summary();
  }

  private static String evaluations(String more) {
    return """
        {"log_history": [
          {"step": 1, "loss": 0.5},
          {"step": 1, "eval_loss": 0.5%1$s},
          {"step": 2, "loss": 0.25},
          {"step": 2, "eval_loss": 0.25%1$s}]}
        """
        .formatted(more);
  }

  private static String twoLosses(String first, String second) {
    return """
        {"log_history": [
          {"step": %s, "loss": 0.5, "rewards/accuracies": 1.0},
          {"step": %s, "loss": 0.25, "rewards/accuracies": 1.0}]}
        """
        .formatted(first, second);
  }
}
