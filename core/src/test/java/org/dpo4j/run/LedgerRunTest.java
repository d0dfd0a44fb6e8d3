package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;
import static org.dpo4j.run.RunFixture.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;
import org.dpo4j.Cancellation;
import org.dpo4j.DpoException;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.UsageException;
import org.dpo4j.config.LedgerConfig;
import org.dpo4j.config.TrainingConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Closes: a ledger whose numbers are not those of the steps, that loses or doubles pairs where a
 * run is continued, that finds no swapped pair, or removes rows that nobody suspected.
 */
class LedgerRunTest {

  private static final JsonMapper JSON = JsonMapper.shared();

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  LedgerRunTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void theNumbersOfThePairsAddUpToThoseOfTheStepsAndEvaluations() throws IOException {
    train("run", Map.of("eval_split", 5, "eval_strategy", "epoch", "num_train_epochs", 2));
    Map<Integer, JsonNode> logged = new HashMap<>();
    Map<Integer, JsonNode> evaluated = new HashMap<>();
    JSON.readTree(folder.resolve("run/trainer_state.json"))
        .path("log_history")
        .forEach(
            entry -> {
              if (entry.has("loss")) {
                logged.put(entry.path("step").asInt(), entry);
              } else if (entry.has("eval_loss")) {
                evaluated.put(entry.path("step").asInt(), entry);
              }
            });
    Map<Integer, Integer> visits = new HashMap<>();
    int evaluations = 0;
    for (JsonNode line : ledger("run")) {
      int step = line.path("step").asInt();
      boolean training = line.path("set").asString().equals("train");
      JsonNode entry = Objects.requireNonNull(training ? logged.get(step) : evaluated.get(step));
      String prefix = training ? "" : "eval_";
      if (training) {
        assertThat(mean(line, "losses"))
            .isCloseTo(entry.path(prefix + "loss").asDouble(), within(1e-5));
        assertThat(mean(line, "margins"))
            .isCloseTo(entry.path(prefix + "rewards/margins").asDouble(), within(1e-5));
        line.path("rows").forEach(row -> visits.merge(row.asInt(), 1, Integer::sum));
        for (int i = 0; i < line.path("rows").size(); i++) {
          double margin = line.path("margins").path(i).asDouble();
          assertThat(line.path("pulls").path(i).asDouble())
              .isCloseTo(1 / (1 + Math.exp(margin)), within(1e-5));
          assertThat(line.path("losses").path(i).asDouble())
              .isCloseTo(Math.log1p(Math.exp(-margin)), within(1e-5));
        }
      } else {
        evaluations += line.path("rows").size();
        assertThat(line.has("pulls")).isFalse();
      }
    }
    assertThat(visits).hasSizeGreaterThan(20);
    assertThat(visits.values()).containsOnly(2);
    assertThat(evaluations).isEqualTo(5 * evaluated.size());
  }

  /** The first run goes on for two steps after the checkpoint before it ends. */
  @Test
  void aContinuedRunHasTheLedgerOfARunThatWasNotBroken() throws IOException {
    Map<String, Object> options =
        Map.of("eval_split", 5, "eval_strategy", "steps", "eval_steps", 2);
    train("whole", options);
    Cancellation cancellation = new Cancellation();
    Map<String, Object> saving = new HashMap<>(options);
    saving.put("save_steps", 3);
    saving.put("logging_steps", 1);
    run(
        "broken",
        saving,
        cancellation,
        new TrainingListener() {
          @Override
          public void onStep(StepReport step, TrainingControl control) {
            if (step.step() == 5) {
              cancellation.suspend();
            }
          }
        });
    Path last = folder.resolve("broken/checkpoint-5");
    Files.move(last, folder.resolve("checkpoint-5"));
    assertThat(ledger("broken").stream().mapToInt(line -> line.path("step").asInt()).max())
        .hasValue(5);
    saving.put("resume_from_checkpoint", "true");
    train("broken", saving);
    assertThat(ledger("broken")).isEqualTo(ledger("whole"));
  }

  @Test
  void itCanBeSwitchedOffAndIsNotKeptForCompletionsWithLabels() {
    train("off", Map.of("ledger", false));
    assertThat(folder.resolve("off/metrics.jsonl")).exists();
    assertThat(folder.resolve("off/ledger.jsonl")).doesNotExist();
    assertThatThrownBy(() -> ledgerOf(Map.of("run", folder.resolve("off"))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("runs on pairs write it unless ledger is false");
  }

  /** Six of 64 pairs are swapped; among the dozen that is suspected, chance would find one. */
  @Test
  void swappedPairsAreFoundAndLeftOut() throws IOException {
    Path examples = Path.of("..", "examples");
    List<String> rows = new ArrayList<>(Files.readAllLines(examples.resolve("pairs.jsonl")));
    List<Integer> order = new ArrayList<>(IntStream.range(0, rows.size()).boxed().toList());
    Collections.shuffle(order, new Random(1));
    Set<Integer> swapped = new TreeSet<>(order.subList(0, 6));
    for (int row : swapped) {
      ObjectNode pair = (ObjectNode) JSON.readTree(rows.get(row));
      JsonNode chosen = pair.get("chosen");
      pair.set("chosen", pair.get("rejected"));
      pair.set("rejected", chosen);
      rows.set(row, JSON.writeValueAsString(pair));
    }
    Path data = folder.resolve("swapped.jsonl");
    Files.write(data, rows);
    train(
        "swapped",
        Map.of(
            "model",
            examples.resolve("tiny-chat"),
            "data_file",
            data,
            "max_steps",
            48,
            "per_device_train_batch_size",
            4,
            "learning_rate",
            1e-4));

    Path list = folder.resolve("pairs.jsonl");
    ledgerOf(Map.of("run", folder.resolve("swapped"), "output", list));
    Set<Integer> suspects = new TreeSet<>();
    List<Integer> ranked = new ArrayList<>();
    for (String line : Files.readAllLines(list)) {
      JsonNode pair = JSON.readTree(line);
      ranked.add(pair.path("row").asInt() - 1);
      if (pair.path("suspicious").asBoolean()) {
        suspects.add(pair.path("row").asInt() - 1);
      }
      assertThat(pair.path("margins")).hasSize(3);
    }
    assertThat(Files.readAllLines(list)).hasSize(64);
    Set<Integer> found = new TreeSet<>(suspects);
    found.retainAll(swapped);
    assertThat(found).hasSizeGreaterThanOrEqualTo(2);
    assertThat(suspects.size()).isLessThanOrEqualTo(16);
    assertThat(above(ranked, swapped)).isGreaterThan(0.65); // 0.5 by chance

    out.reset();
    Path clean = folder.resolve("clean.jsonl");
    ledgerOf(Map.of("run", folder.resolve("swapped"), "suspicious", true, "clean", clean));
    assertThat(text(out))
        .contains("[%s row %d]  score -".formatted(data, found.iterator().next() + 1))
        .contains("%d rows kept, %d left out".formatted(64 - suspects.size(), suspects.size()));
    Files.write(data, rows.subList(0, 10));
    assertThatThrownBy(
            () -> ledgerOf(Map.of("run", folder.resolve("swapped"), "clean", folder.resolve("c"))))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("[%s] must be as the run read it but has changed".formatted(data));
    assertThat(folder.resolve("c")).doesNotExist();
    List<JsonNode> expected =
        IntStream.range(0, 64)
            .filter(row -> !suspects.contains(row))
            .mapToObj(row -> JSON.readTree(rows.get(row)))
            .toList();
    assertThat(Files.readAllLines(clean).stream().map(JSON::readTree).toList()).isEqualTo(expected);
  }

  @Test
  void aLineThatWasCutIsLeftOutAndADamagedOneIsNamed() throws IOException {
    String line =
        "{\"step\":1,\"epoch\":1,\"set\":\"train\",\"file\":\"a.jsonl\",\"rows\":[1,2],"
            + "\"margins\":[0.5,-0.5],\"losses\":[0.4,0.9],\"pulls\":[0.3,0.6]}";
    Path file = folder.resolve("ledger.jsonl");
    Files.writeString(file, line + "\n" + line.substring(0, 30));
    ledgerOf(Map.of("run", file));
    assertThat(text(out)).contains("2 training pairs with 1.0 visits each; no held-out pairs");

    Files.writeString(file, line.substring(0, 30) + "\n" + line + "\n");
    assertThatThrownBy(() -> ledgerOf(Map.of("run", file)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("[%s:1] is not valid JSON".formatted(file));
    Files.writeString(file, line + "\n" + line.replace("[1,2]", "[1]") + "\n");
    assertThatThrownBy(() -> ledgerOf(Map.of("run", file)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("[%s:2] a line must be an object with step".formatted(file));
    Files.writeString(file, line.replace("[1,2]", "[1,-2]") + "\n");
    assertThatThrownBy(() -> ledgerOf(Map.of("run", file)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("[%s:1] a line must be an object with step".formatted(file));
    for (String damage : List.of("\"0.5\"", "true", "{}")) {
      Files.writeString(file, line.replace("[0.5,", "[%s,".formatted(damage)) + "\n");
      assertThatThrownBy(() -> ledgerOf(Map.of("run", file)))
          .isInstanceOf(DpoException.class)
          .hasMessageContaining("[%s:1] a line must be an object with step".formatted(file))
          .hasMessageContaining("each a number or null");
    }
    Files.writeString(file, line.replace("[0.5,", "[null,") + "\n");
    ledgerOf(Map.of("run", file));
    Files.writeString(file, "{\"files\":{\"a.jsonl\":1}}\n" + line + "\n");
    assertThatThrownBy(() -> ledgerOf(Map.of("run", file)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("[%s:1] files must be names".formatted(file));
    Files.writeString(file, "");
    assertThatThrownBy(() -> ledgerOf(Map.of("run", file)))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("must hold a pair that was trained on");
  }

  /** Rows that were inserted before a suspicious one would be left out in its place. */
  @Test
  void afterAChangeOfItsFileNothingIsCleanedAndTheTextsAreDoubted() throws IOException {
    Path data = folder.resolve("data.jsonl");
    List<String> rows = Files.readAllLines(fixture("pairs32.jsonl"));
    Files.write(data, rows);
    train("run", Map.of("data_file", data, "eval_split", 8));
    Path run = folder.resolve("run");
    Map<String, Object> listed = Map.of("run", run, "suspicious", true, "threshold", 0.1);
    ledgerOf(listed);
    assertThat(text(err)).doesNotContain("has changed");
    assertThat(text(out)).contains("    chosen    ");

    List<String> shuffled = new ArrayList<>(rows);
    Collections.rotate(shuffled, 1);
    Files.write(data, shuffled);
    ledgerOf(listed);
    assertThat(text(err))
        .containsOnlyOnce(
            "warning: [%s] has changed since the run, so the texts shown may be those of other rows"
                .formatted(data));
    Path clean = folder.resolve("clean.jsonl");
    Map<String, Object> cleaning = Map.of("run", run, "threshold", 0.1, "clean", clean);
    assertThatThrownBy(() -> ledgerOf(cleaning))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("[%s] must be as the run read it but has changed".formatted(data));
    assertThat(clean).doesNotExist();

    // As an earlier version wrote it.
    Path ledger = run.resolve("ledger.jsonl");
    List<String> lines = Files.readAllLines(ledger);
    Files.write(ledger, lines.subList(1, lines.size()));
    ledgerOf(cleaning);
    assertThat(text(err)).contains("note: the ledger has no hash of %s".formatted(data));
    assertThat(clean).exists();

    Files.write(ledger, lines);
    Files.write(data, rows.subList(0, 2));
    err.reset();
    Files.delete(run.resolve("dpo4j.yaml"));
    ledgerOf(listed);
    assertThat(text(err))
        .contains("[%s] holds no pair any more in the rows of ".formatted(data))
        .contains("the run's dpo4j.yaml, which tells how the rows are read, is not there");
    err.reset();
    Files.delete(data);
    ledgerOf(listed);
    assertThat(text(err))
        .contains("[%s] is not there, so its pairs are shown without their texts".formatted(data))
        .doesNotContain("data_file");
  }

  @Test
  void everyFileOfAFolderHasItsHashAndAFileThatChangedInTheMiddleOfTheRunIsNotCleaned()
      throws IOException {
    List<String> rows = Files.readAllLines(fixture("pairs32.jsonl"));
    Path parts = Files.createDirectories(folder.resolve("parts"));
    Files.write(parts.resolve("a.jsonl"), rows.subList(0, 20));
    Files.write(parts.resolve("b.jsonl"), rows.subList(20, 32));
    Path heldOut = folder.resolve("held.jsonl");
    Files.write(heldOut, rows.subList(0, 4));
    Map<String, Object> options =
        Map.of("data_file", parts, "eval_file", heldOut, "save_steps", 4, "save_total_limit", 2);
    train("run", options);
    Path ledger = folder.resolve("run/ledger.jsonl");
    assertThat(names(Files.readAllLines(ledger).get(0)))
        .containsExactlyInAnyOrder(
            parts.resolve("a.jsonl").toString(),
            parts.resolve("b.jsonl").toString(),
            heldOut.toString());

    // The same pairs in other bytes.
    Files.write(parts.resolve("b.jsonl"), List.of("", ""), StandardOpenOption.APPEND);
    Map<String, Object> resumed = new HashMap<>(options);
    resumed.put("resume_from_checkpoint", folder.resolve("run/checkpoint-4"));
    resumed.put("overwrite_output_dir", true);
    train("run", resumed);
    assertThat(Files.readAllLines(ledger).stream().filter(line -> line.startsWith("{\"files\"")))
        .hasSize(2);
    assertThatThrownBy(
            () ->
                ledgerOf(
                    Map.of("run", folder.resolve("run"), "clean", folder.resolve("clean.jsonl"))))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("[%s] must be as the run".formatted(parts.resolve("b.jsonl")));
  }

  private static List<String> names(String line) {
    return List.copyOf(JSON.readTree(line).path("files").propertyNames());
  }

  @Test
  void theListAndTheFileDoNotExcludeEachOtherAndErrorsNameTheirOption() throws IOException {
    train("run", Map.of());
    Path run = folder.resolve("run");
    out.reset();
    ledgerOf(
        Map.of(
            "run",
            run,
            "suspicious",
            true,
            "rows",
            1,
            "threshold",
            0.1,
            "output",
            folder.resolve("all.jsonl")));
    assertThat(text(out))
        .contains(" may be mislabelled: ", "the first 1 of ", " is shown; rows 0 shows all")
        .contains("written to " + folder.resolve("all.jsonl"));
    out.reset();
    ledgerOf(Map.of("run", run, "threshold", 0.1, "output", folder.resolve("all.jsonl")));
    assertThat(text(out)).contains(" may be mislabelled; suspicious lists them");
    assertThatThrownBy(() -> ledgerOf(Map.of("run", run, "clean", folder)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("clean must be a file but %s is a folder".formatted(folder));
    assertThatThrownBy(() -> ledgerOf(Map.of("run", run, "clean", run.resolve("ledger.jsonl"))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("clean must not touch what this run reads");
  }

  /** How likely a swapped pair is ranked above one that is not. */
  private static double above(List<Integer> ranked, Set<Integer> swapped) {
    int before = 0;
    long pairs = 0;
    for (int row : ranked) {
      if (swapped.contains(row)) {
        before++;
      } else {
        pairs += before;
      }
    }
    return (double) pairs / (swapped.size() * (ranked.size() - swapped.size()));
  }

  private void ledgerOf(Map<String, Object> options) {
    LedgerRun.run(LedgerConfig.of(options), output(out, err));
  }

  private List<JsonNode> ledger(String name) throws IOException {
    return Files.readAllLines(folder.resolve(name).resolve("ledger.jsonl")).stream()
        .skip(1) // the hashes of the files
        .map(JSON::readTree)
        .toList();
  }

  private static double mean(JsonNode line, String name) {
    return StreamSupport.stream(line.path(name).spliterator(), false)
        .mapToDouble(JsonNode::asDouble)
        .average()
        .orElseThrow();
  }

  private void train(String name, Map<String, Object> options) {
    run(name, options, new Cancellation(), new TrainingListener() {});
  }

  private void run(
      String name,
      Map<String, Object> options,
      Cancellation cancellation,
      TrainingListener listener) {
    Map<String, Object> all = new HashMap<>();
    all.put("model", fixture("models/llama"));
    all.put("data_file", fixture("pairs32.jsonl"));
    all.put("output_dir", folder.resolve(name));
    all.put("reference_cache", folder.resolve("cache"));
    all.put("learning_rate", 1e-3);
    all.put("logging_steps", 1);
    all.put("sample_prompts", 0);
    all.put("threads", 1);
    all.put("max_length", 128);
    all.putAll(options);
    if (!options.containsKey("num_train_epochs") && !options.containsKey("max_steps")) {
      all.put("max_steps", 8);
    }
    TrainingRun.run(
        TrainingConfig.of(all),
        ProgramInputs.NONE,
        output(out, err),
        cancellation,
        List.of(listener));
  }
}
