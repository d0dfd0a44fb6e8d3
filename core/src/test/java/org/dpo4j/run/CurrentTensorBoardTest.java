package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.EventFile;
import org.dpo4j.EventFile.Point;
import org.dpo4j.config.TrainingConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: an event file that a current TensorBoard reads as another run. {@code
 * tensorboard_events.py} reads it; the property names a Python that has TensorBoard.
 */
@EnabledIfSystemProperty(named = "dpo4j.tensorboard", matches = ".+")
class CurrentTensorBoardTest {

  private final Path folder;

  CurrentTensorBoardTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void readsTheLogOfARunAndOfOneThatWasContinued() throws IOException {
    train(Map.of());
    assertRead();
    Path earlier = EventFile.only(folder.resolve("run/runs"));
    Path kept = folder.resolve("run/runs/events.out.tfevents.0000000001.host");
    Files.copy(earlier, kept); // as of a TensorBoard that has read it before it was deleted

    train(Map.of("resume_from_checkpoint", folder.resolve("run/checkpoint-3")));
    assertThat(earlier).doesNotExist();
    assertRead();
  }

  private void assertRead() throws IOException {
    JsonNode read = read();
    List<Point> points = new ArrayList<>();
    read.get("scalars")
        .properties()
        .forEach(
            tag ->
                tag.getValue()
                    .forEach(
                        point ->
                            points.add(
                                new Point(
                                    tag.getKey(),
                                    point.get(0).longValue(),
                                    (float) point.get(1).doubleValue()))));
    assertThat(points)
        .containsExactlyInAnyOrderElementsOf(EventFile.logged(folder.resolve("run")))
        .hasSizeGreaterThan(100);
    assertThat(read.get("texts").get("args/text_summary").stringValue())
        .contains("    report_to:\n    - tensorboard\n");
  }

  private JsonNode read() throws IOException {
    Process process =
        new ProcessBuilder(
                System.getProperty("dpo4j.tensorboard"),
                Path.of("src/test/python/tensorboard_events.py").toAbsolutePath().toString(),
                folder.resolve("run/runs").toString())
            .redirectError(folder.resolve("errors").toFile())
            .start();
    String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(text).as(Files.readString(folder.resolve("errors"))).startsWith("{");
    return JsonMapper.shared().readTree(text);
  }

  private void train(Map<String, Object> options) {
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("model", fixture("models/llama"));
    all.put("data_file", fixture("pairs32.jsonl"));
    all.put("output_dir", folder.resolve("run"));
    all.put("reference_cache", folder.resolve("cache"));
    all.put("learning_rate", 1e-3);
    all.put("max_steps", 6);
    all.put("logging_steps", 1);
    all.put("save_steps", 3);
    all.put("eval_split", 5);
    all.put("eval_strategy", "steps");
    all.put("sample_prompts", 0);
    all.put("threads", 1);
    all.put("max_length", 128);
    all.put("report_to", "tensorboard");
    all.putAll(options);
    TrainingRun.run(TrainingConfig.of(all), output(new ByteArrayOutputStream()));
  }
}
