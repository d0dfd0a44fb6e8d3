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
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.config.EvalConfig;
import org.dpo4j.config.ReportConfig;
import org.dpo4j.config.TrainingConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Closes: a report that leaves one of its questions open, that runs or loads something, or that
 * fails on a run of another program.
 */
class ReportRunTest {

  private static final JsonMapper JSON = JsonMapper.shared();

  /** A script, an image, a control sequence of a terminal, and text that would run backwards. */
  private static final String HOSTILE =
      "</p><script>alert(1)</script><img src=x onerror=alert(2)> \u001b[31m \u202Eevil & \"quoted\"";

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  ReportRunTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void thePageAnswersItsFiveQuestionsFromTheFilesOfTheRun() throws IOException {
    Path data = hostile();
    train(Map.of("data_file", data, "eval_split", 8, "learning_rate", 3e-3));
    EvalRun.run(
        EvalConfig.of(
            Map.of(
                "model",
                folder.resolve("run"),
                "data_file",
                data,
                "output",
                folder.resolve("run/eval.json"),
                "max_length",
                128,
                "threads",
                1)),
        output(out));
    report(Map.of("rows", 40));
    String page = Files.readString(folder.resolve("run/report.html"));

    assertThat(page)
        .contains(
            "Did it work?",
            "Is the gain real?",
            "What got worse?",
            "Which pairs are suspicious?",
            "How do I repeat it?")
        .contains(" held-out pairs (")
        .contains("accuracy by reward margin")
        .contains("train config %s".formatted(folder.resolve("run/dpo4j.yaml")))
        .contains("<dt>learning_rate</dt><dd><bdi>0.003</bdi></dd>")
        .contains("<svg ")
        .contains("sha256 ");
    assertThat(Files.size(folder.resolve("run/report.html"))).isLessThan(2 << 20);
    harmless(page);
    assertThat(text(out)).contains("written to " + folder.resolve("run/report.html"));
  }

  /** The text of the pairs is on the page, as text. */
  @Test
  void theTextsOfPairsCannotRunLoadOrReorderAnything() throws IOException {
    train(Map.of("data_file", hostile(), "learning_rate", 3e-3));
    report(Map.of("rows", 1000));
    String page = Files.readString(folder.resolve("run/report.html"));
    harmless(page);
    assertThat(page).contains("may be swapped").contains("&lt;script&gt;alert(1)");
  }

  private static void harmless(String page) {
    assertThat(page)
        .contains("default-src &#x27;none&#x27;")
        .doesNotContain("<script", "<img", "<iframe", "<link", "onerror=alert(2)>", "\u001b")
        .doesNotContain("\u202E");
    assertThat(page.replace("http://www.w3.org/2000/svg", ""))
        .doesNotContain("http://", "https://", "src=\"", "url(", "@import");
  }

  /** As TRL writes them: a state, and nothing else that is known here. */
  @Test
  void aRunOfAnotherProgramHasAReport() throws IOException {
    train(Map.of("eval_split", 8));
    Path other = Files.createDirectories(folder.resolve("other"));
    Files.copy(folder.resolve("run/trainer_state.json"), other.resolve("trainer_state.json"));
    report(Map.of("run", other));
    assertThat(Files.readString(other.resolve("report.html")))
        .contains("a run of another program, 8 steps")
        .contains("the run has no ledger.jsonl")
        .contains("reward margin");
  }

  @Test
  void whatIsNoRunOrDamagedIsRefused() throws IOException {
    assertThatThrownBy(() -> report(Map.of("run", folder)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("run must be a folder with a trainer_state.json");
    train(Map.of());
    assertThatThrownBy(() -> report(Map.of("eval", folder.resolve("no.json"))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("eval must be a file");
    Files.writeString(folder.resolve("run/eval.json"), "{\"pairs\": 1}");
    assertThatThrownBy(() -> report(Map.of()))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("must be what eval writes, but has no models");
    damaged("{\"models\": [], \"data\": \"d\"}", "has no models");
    damaged("{\"models\": [1, 2], \"data\": \"d\"}", "models[0].model is not a text");
    damaged("{\"models\": [[]], \"data\": \"d\"}", "models[0].model is not a text");
    damaged(
        "{\"models\": [{\"model\": \"m\", \"pairs\": 1}, {\"model\": \"n\"}], \"data\": \"d\"}",
        "models[1].pairs is not a whole number");
    damaged(
        "{\"models\": [{\"model\": \"m\", \"pairs\": 1, \"logps/accuracies\": {\"value\": \"x\"}}],"
            + " \"data\": \"d\"}",
        "models[0].logps/accuracies.value is not a number or null");
    damaged(
        "{\"models\": [{\"model\": \"m\", \"pairs\": 1, \"slices\": [{\"by\": \"b\"}]}],"
            + " \"data\": \"d\"}",
        "models[0].slices[0].value is not a text");
    damaged(
        "{\"models\": [{\"model\": \"m\", \"pairs\": 1}], \"data\": \"d\", \"differences\": {}}",
        "differences is not a list");
    Files.writeString(folder.resolve("run/eval.json"), "{");
    assertThatThrownBy(() -> report(Map.of()))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("is not valid JSON");
    assertThat(folder.resolve("run/report.html")).doesNotExist();
  }

  private void damaged(String json, String found) throws IOException {
    Path file = folder.resolve("run/eval.json");
    Files.writeString(file, json);
    assertThatThrownBy(() -> report(Map.of()))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("[%s] must be what eval writes, but ".formatted(file))
        .hasMessageContaining(found);
  }

  private void report(Map<String, Object> options) {
    Map<String, Object> all = new HashMap<>();
    all.put("run", folder.resolve("run"));
    all.putAll(options);
    ReportRun.run(ReportConfig.of(all), output(out));
  }

  private Path hostile() throws IOException {
    List<String> rows = new ArrayList<>();
    for (String line : Files.readAllLines(fixture("pairs32.jsonl"))) {
      ObjectNode row = (ObjectNode) JSON.readTree(line);
      if (row.path("chosen").isArray()) {
        ((ObjectNode) row.path("chosen").path(0))
            .put("content", HOSTILE + row.path("chosen").path(0).path("content").asString());
      } else {
        row.put("chosen", HOSTILE + row.path("chosen").asString());
      }
      rows.add(JSON.writeValueAsString(row));
    }
    Path file = folder.resolve("hostile.jsonl");
    Files.write(file, rows);
    return file;
  }

  private void train(Map<String, Object> options) {
    Map<String, Object> all = new HashMap<>();
    all.put("model", fixture("models/llama"));
    all.put("data_file", fixture("pairs32.jsonl"));
    all.put("output_dir", folder.resolve("run"));
    all.put("reference_cache", folder.resolve("cache"));
    all.put("max_steps", 8);
    all.put("logging_steps", 1);
    all.put("sample_prompts", 0);
    all.put("threads", 1);
    all.put("max_length", 128);
    all.putAll(options);
    TrainingRun.run(TrainingConfig.of(all), output(out));
  }
}
