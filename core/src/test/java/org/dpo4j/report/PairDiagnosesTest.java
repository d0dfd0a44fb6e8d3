package org.dpo4j.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.dpo4j.OptionText;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: a run that has learned length alone, of which nothing is said, and a healthy one that is
 * doubted. The numbers are those of real runs of {@code tiny-chat}: tokens of both sides and margin
 * of each held-out pair at the end. In pairs made to be ill only length tells chosen from rejected,
 * in 85 of 100 pairs.
 */
class PairDiagnosesTest {

  private static final int FEWEST_HEALTHY = 30;

  private final Path ledger;

  PairDiagnosesTest(@TempDir Path folder) {
    this.ledger = folder.resolve("ledger.jsonl");
  }

  private record Run(String name, JsonNode json) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static List<Run> runs(String file) throws IOException {
    try (InputStream in =
        Objects.requireNonNull(PairDiagnosesTest.class.getResourceAsStream("pairs/" + file))) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8)
          .lines()
          .map(JsonMapper.shared()::readTree)
          .map(json -> new Run(json.get("name").asString(), json))
          .toList();
    }
  }

  static List<Run> healthy() throws IOException {
    return runs("healthy.jsonl");
  }

  static List<Run> sick() throws IOException {
    return runs("sick.jsonl");
  }

  @ParameterizedTest
  @MethodSource("healthy")
  void aHealthyRunHasNoDiagnosis(Run run) throws IOException {
    assertThat(diagnoses(run.json())).isEmpty();
  }

  @ParameterizedTest
  @MethodSource("sick")
  void aRunThatHasLearnedLengthIsDiagnosed(Run run) throws IOException {
    assertThat(diagnoses(run.json()).orElseThrow())
        .startsWith(
            "the preference follows length: of the held-out pairs whose chosen answer is longer ");
  }

  @Test
  void thereAreEnoughRuns() throws IOException {
    assertThat(healthy()).hasSizeGreaterThanOrEqualTo(FEWEST_HEALTHY);
    assertThat(sick()).hasSizeGreaterThanOrEqualTo(5);
  }

  @Test
  void theNumbersAreThoseOfBothGroups() throws IOException {
    List<String> pairs = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      pairs.add("[30,10,%s]".formatted(i == 0 ? -1 : 2));
      pairs.add("[10,30,-0.5]");
      pairs.add("[20,20,9]"); // of no group
    }
    for (int i = 0; i < 10; i++) {
      pairs.add("[31,10,2]");
    }
    JsonNode run = JsonMapper.shared().readTree("{\"held_out\": %s}".formatted(pairs));
    assertThat(diagnoses(run))
        .contains(
            "the preference follows length: of the held-out pairs whose chosen answer is longer 95 % are right (20 pairs, mean margin +1.85), of those whose chosen answer is shorter 0 % (10 pairs, -0.50); balance the lengths of the training pairs, or lower ld_alpha");
  }

  @Test
  void aRunWithoutALedgerHasNoneAndOneThatWasCutHasWhatItHas() throws IOException {
    RunHistory history = write(sick().get(0).json());
    assertThat(PairDiagnoses.of(ledger, history)).isPresent();
    assertThat(PairDiagnoses.of(ledger.resolveSibling("none"), history)).isEmpty();
    Files.writeString(ledger, Files.readString(ledger) + "{\"step\": 1,");
    assertThat(PairDiagnoses.of(ledger, history)).isPresent();
    Files.writeString(ledger, "{\"step\": 1,");
    assertThat(PairDiagnoses.of(ledger, history)).isEmpty();
  }

  private Optional<String> diagnoses(JsonNode run) throws IOException {
    return PairDiagnoses.of(ledger, write(run)).map(OptionText::plain);
  }

  /** Writes a ledger with the numbers of a run, and returns its history. */
  private RunHistory write(JsonNode run) throws IOException {
    List<String> lines = new ArrayList<>();
    List<Integer> chosen = new ArrayList<>();
    List<Integer> rejected = new ArrayList<>();
    List<Double> margins = new ArrayList<>();
    run.get("held_out")
        .forEach(
            pair -> {
              chosen.add(pair.get(0).asInt());
              rejected.add(pair.get(1).asInt());
              margins.add(pair.get(2).asDouble());
            });
    lines.add(
        line(
            0,
            0,
            "eval",
            margins.stream().map(margin -> 0.0).toList(),
            Map.of("chosen_tokens", chosen, "rejected_tokens", rejected)));
    lines.add(line(9, 0.5, "train", List.of(-9.0), Map.of()));
    lines.add(line(20, 2, "eval", margins, Map.of()));
    Files.write(ledger, lines);
    Path state = ledger.resolveSibling("trainer_state.json");
    Files.writeString(
        state, "{\"log_history\": [{\"step\": 1, \"loss\": 0.7, \"rewards/accuracies\": 1}]}");
    return TrainerState.readHistory(state);
  }

  private static String line(
      int step, double epoch, String set, List<Double> margins, Map<String, ?> more) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("step", step);
    line.put("epoch", epoch);
    line.put("set", set);
    line.put("file", "pairs.jsonl");
    List<Integer> rows = new ArrayList<>();
    for (int i = 1; i <= margins.size(); i++) {
      rows.add(i);
    }
    line.put("rows", rows);
    line.put("margins", margins);
    line.put("losses", margins);
    line.putAll(more);
    return JsonMapper.shared().writeValueAsString(line);
  }
}
