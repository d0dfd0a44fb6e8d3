package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;
import static org.dpo4j.run.RunFixture.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.config.EvalConfig;
import org.dpo4j.config.ReportConfig;
import org.dpo4j.config.TrainingConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: a comparison that pairs pairs that are not the same, calls chance a difference, shows
 * options that do not differ or hides some that do, or runs what is in a name.
 */
class ComparisonRunTest {

  private static final String HOSTILE = "<script>alert(1)<script>evil & \"quoted\"";

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  ComparisonRunTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void twoRunsAreComparedOnTheHeldOutPairsOfTheirLedgers() throws IOException {
    train("slow", Map.of("learning_rate", 1e-6));
    train("fast", Map.of("learning_rate", 3e-3, "beta", 0.2));
    String page = compare("slow", "fast");

    assertThat(text(out)).contains("written to " + folder.resolve("slow/comparison.html"));
    assertThat(page)
        .contains("<h1><bdi>slow and fast</bdi></h1>")
        .contains("On the held-out pairs that both have, at their last evaluations (steps 8 and 8)")
        .contains("fast against slow: ")
        .containsAnyOf("<bdi>Run slow: In ", "<bdi>Runs slow, fast: In ")
        .contains("The runs have different beta")
        .doesNotContain("different references")
        .contains("All runs read the same data.")
        .contains("Held-out loss", "Held-out accuracy", "Held-out reward margin")
        .contains("peak memory", "total time")
        .contains("<h3><bdi>slow</bdi></h3>", "<h3><bdi>fast</bdi></h3>");
    assertThat(row(page, "learning_rate")).containsExactly("1e-6", "0.003");
    assertThat(row(page, "beta")).containsExactly("0.1", "0.2");
    assertThat(page).doesNotContain("<bdi>max_steps</bdi>", "<bdi>output_dir</bdi>");
    assertThat(row(page, "last evaluation, at step")).containsExactly("8", "8");

    // What the sentence counts is what the ledgers hold.
    Matcher counts =
        Pattern.compile(
                "Of 8 shared held-out pairs, slow alone is right on (\\d), and fast alone on (\\d)")
            .matcher(page);
    assertThat(counts.find()).isTrue();
    int[] alone = alone("slow", "fast");
    assertThat(Integer.parseInt(counts.group(1))).isEqualTo(alone[0]);
    assertThat(Integer.parseInt(counts.group(2))).isEqualTo(alone[1]);
  }

  /** The file of eval has scored both on the same pairs, and has the last word. */
  @Test
  void whatEvalFoundIsShownInPlaceOfTheLedgers() throws IOException {
    train("a", Map.of("learning_rate", 1e-6));
    train("b", Map.of("learning_rate", 3e-3));
    Path file = folder.resolve("both.json");
    EvalRun.run(
        EvalConfig.of(
            Map.of(
                "model",
                List.of(folder.resolve("a"), folder.resolve("b")),
                "data_file",
                fixture("pairs32.jsonl"),
                "output",
                file,
                "max_length",
                128,
                "threads",
                1)),
        output(out));
    String page = compare(Map.of("eval", file), "a", "b");
    assertThat(page)
        .contains("On the pairs of eval in " + fixture("pairs32.jsonl"))
        .doesNotContain("at their last evaluations")
        .contains("eval on " + fixture("pairs32.jsonl"))
        .contains("accuracy by log-probability, of the reference");
  }

  /** Ten pairs, of which the second run alone is right on all: p = 2 / 2^10. */
  @Test
  void aDifferenceThatChanceRarelyGivesIsCalledReal() throws IOException {
    byHand("a", "-1", "");
    byHand("b", "1", "");
    assertThat(compare("a", "b"))
        .contains("accuracy by reward margin +100.0 points")
        .contains("it alone is right on: 10, that the other alone is right on: 0")
        .contains("p = 0.0020")
        .contains("This is unlikely to be chance: b is better on data like this.")
        .contains("<bdi>[held.jsonl row 10]</bdi>: ")
        .contains("margin -1.00 under a, +1.00 under b");

    // A file that changed in the course of a run has not the same pairs.
    String changed = "{\"files\":{\"held.jsonl\":\"%s\"}}\n";
    byHand("a", "-1", changed.formatted("1".repeat(64)));
    byHand("b", "1", changed.formatted("1".repeat(64)) + changed.formatted("2".repeat(64)));
    assertThat(compare("a", "b"))
        .contains("Whether a and b differ is not known")
        .contains("<bdi>changed in the run</bdi>");
  }

  /** A run of one step, as its files tell it. */
  private void byHand(String name, String margin, String hashes) throws IOException {
    Path run = Files.createDirectories(folder.resolve(name));
    Files.writeString(
        run.resolve("trainer_state.json"),
        """
        {"log_history": [{"step": 1, "loss": 0.6},
          {"step": 1, "eval_loss": 0.5, "eval_rewards/margins": %s}]}
        """
            .formatted(margin));
    String line = "{\"step\":1,\"epoch\":1,\"set\":\"%s\",\"file\":\"held.jsonl\",\"rows\":[%s],";
    String numbers = "\"margins\":[%1$s],\"losses\":[%1$s]";
    String margins = String.join(",", Collections.nCopies(10, margin));
    Files.writeString(
        run.resolve("ledger.jsonl"),
        hashes
            + line.formatted("train", "1")
            + numbers.formatted("1")
            + ",\"pulls\":[1]}\n"
            + line.formatted("eval", "1,2,3,4,5,6,7,8,9,10")
            + numbers.formatted(margins)
            + "}\n");
  }

  /** Rows of the same number are not the same pairs where the file is another. */
  @Test
  void pairsOfOtherFilesAreNotCompared() throws IOException {
    List<String> rows = Files.readAllLines(fixture("pairs32.jsonl"));
    Path held = folder.resolve("held.jsonl");
    Files.write(held, rows.subList(0, 6));
    train("a", Map.of("eval_file", held));
    Files.write(held, rows.subList(6, 12));
    train("b", Map.of("eval_file", held));
    String page = compare("a", "b");
    assertThat(page)
        .contains("Whether a and b differ is not known")
        .contains("the runs share no held-out pairs")
        .contains("Not all runs read the same data; the table below shows which.");

    // The same pairs under another name are.
    Path same = Files.write(folder.resolve("same.jsonl"), rows.subList(6, 12));
    train("c", Map.of("eval_file", same));
    assertThat(compare("b", "c"))
        .containsPattern("Of [56] shared held-out pairs, b alone is right on 0, and c alone on 0")
        .contains("All runs read the same data.");
  }

  @Test
  void runsOfOtherProgramsAndWithoutEvaluationsAreCompared() throws IOException {
    train("a", Map.of("eval_split", "none"));
    train("b", Map.of("learning_rate", 3e-3));
    Path other = Files.createDirectories(folder.resolve("x/a"));
    Files.copy(folder.resolve("b/trainer_state.json"), other.resolve("trainer_state.json"));
    String page = compare(Map.of("output", folder.resolve("page.html")), "a", "b", "x/a");
    assertThat(page)
        .contains(folder.resolve("a") + ", " + folder.resolve("b") + " and " + other)
        .contains("3 runs side by side; each is compared with the first one, ")
        .contains("The options of %s are not recorded in its files.".formatted(other))
        .contains("Whether %s and %s differ is not known".formatted(folder.resolve("a"), other));
    assertThat(row(page, "learning_rate")).containsExactly("1e-6", "0.003", "not recorded");
    assertThat(row(page, "accuracy by reward margin, 95 % interval").get(0)).isEmpty();
    assertThat(row(page, "accuracy by reward margin, 95 % interval").get(2)).contains(" % (");

    Path none = Files.createDirectories(folder.resolve("y/a"));
    Files.copy(folder.resolve("a/trainer_state.json"), none.resolve("trainer_state.json"));
    assertThat(compare("a", "y/a")).contains("Training loss").doesNotContain("Held-out loss");
  }

  @Test
  void namesAndOptionsCannotRunLoadOrReorderAnything() throws IOException {
    Path data = folder.resolve("<img src=x onerror=alert(2)>.jsonl");
    Files.copy(fixture("pairs32.jsonl"), data);
    train(HOSTILE, Map.of("data_file", data));
    train("b", Map.of("data_file", data, "learning_rate", 3e-3));
    Files.writeString(
        folder.resolve("b/dpo4j.yaml"),
        Files.readString(folder.resolve("b/dpo4j.yaml"))
            + "chat_template_kwargs: {\"name\": \"<script>alert(3)</script>\\u202E\\u001b[31m\"}\n");
    String page = compare(HOSTILE, "b");
    assertThat(page)
        .doesNotContain("<script", "<img", "onerror=alert(2)>", "\u001b", "\u202E")
        .contains("&lt;script&gt;alert(1)", "&lt;script&gt;alert(3)", "&lt;img src=x");
  }

  @Test
  void foldersThatAreEqualOrNoRunsAreRefused() throws IOException {
    train("a", Map.of());
    assertThatThrownBy(() -> compare("a", "a/../a"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(
            "run must name each run once but %s is there twice"
                .formatted(folder.resolve("a/../a")));
    assertThatThrownBy(() -> compare("a", "none"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("run must be a folder");
    Files.createDirectories(folder.resolve("empty"));
    assertThatThrownBy(() -> compare("a", "empty"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(
            "run must be a folder with a trainer_state.json but %s has none"
                .formatted(folder.resolve("empty")));
    assertThatThrownBy(() -> compare("a", "b", "c", "d", "e", "f", "g", "h"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("run must be one folder, or up to 7 to compare but was 8 of them");
    Path other = Files.createDirectories(folder.resolve("other"));
    Files.copy(folder.resolve("a/trainer_state.json"), other.resolve("trainer_state.json"));
    Files.writeString(other.resolve("all_results.json"), "{");
    assertThatThrownBy(() -> compare("a", "other"))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining(
            "[%s] is not valid JSON".formatted(other.resolve("all_results.json")));
    assertThat(folder.resolve("a/comparison.html")).doesNotExist();
  }

  /** The cells of a row behind its name. */
  private static List<String> row(String page, String name) {
    Matcher row =
        Pattern.compile("<tr><td><bdi>" + Pattern.quote(name) + "</bdi></td>(.*?)</tr>")
            .matcher(page);
    assertThat(row.find()).as(name).isTrue();
    return Pattern.compile("<bdi>(.*?)</bdi>")
        .matcher(row.group(1))
        .results()
        .map(cell -> cell.group(1))
        .toList();
  }

  private int[] alone(String first, String other) throws IOException {
    Map<Integer, Double> a = margins(first);
    Map<Integer, Double> b = margins(other);
    assertThat(a.keySet()).isEqualTo(b.keySet());
    int[] alone = new int[2];
    for (int row : a.keySet()) {
      boolean right = a.getOrDefault(row, 0.0) > 0;
      if (right != b.getOrDefault(row, 0.0) > 0) {
        alone[right ? 0 : 1]++;
      }
    }
    return alone;
  }

  /** By row, of the last evaluation. */
  private Map<Integer, Double> margins(String name) throws IOException {
    Map<Integer, Double> margins = new HashMap<>();
    for (String line : Files.readAllLines(folder.resolve(name).resolve("ledger.jsonl"))) {
      JsonNode json = JsonMapper.shared().readTree(line);
      if (json.path("set").asString("").equals("eval") && json.path("step").asInt() == 8) {
        for (int i = 0; i < json.path("rows").size(); i++) {
          margins.put(json.path("rows").path(i).asInt(), json.path("margins").path(i).asDouble());
        }
      }
    }
    return margins;
  }

  private String compare(String... names) throws IOException {
    return compare(Map.of(), names);
  }

  private String compare(Map<String, Object> options, String... names) throws IOException {
    Map<String, Object> all = new HashMap<>();
    all.put("run", List.of(names).stream().map(folder::resolve).toList());
    all.putAll(options);
    ReportConfig config = ReportConfig.of(all);
    ReportRun.run(config, output(out, err));
    return Files.readString(config.page());
  }

  private void train(String name, Map<String, Object> options) {
    Map<String, Object> all = new HashMap<>();
    all.put("model", fixture("models/llama"));
    all.put("data_file", fixture("pairs32.jsonl"));
    all.put("output_dir", folder.resolve(name));
    all.put("reference_cache", folder.resolve("cache"));
    all.put("max_steps", 8);
    all.put("logging_steps", 1);
    all.put("sample_prompts", 0);
    all.put("threads", 1);
    all.put("max_length", 128);
    if (!options.containsKey("eval_file")) {
      all.put("eval_split", 8);
    }
    all.putAll(options);
    TrainingRun.run(TrainingConfig.of(all), output(out, err));
  }
}
