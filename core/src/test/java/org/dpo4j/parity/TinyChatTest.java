package org.dpo4j.parity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dpo4j.Closeness.relative;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.StreamSupport;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;
import org.dpo4j.run.TrainingRun;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: a real model on real data that drifts away from TRL over 74 steps and three evaluations,
 * and real data that stops a run.
 */
@Tag("shared")
class TinyChatTest {

  private static final JsonMapper JSON = JsonMapper.shared();
  private static final List<String> METRICS =
      List.of(
          "loss",
          "rewards/chosen",
          "rewards/rejected",
          "rewards/margins",
          "logps/chosen",
          "logps/rejected");

  @Test
  void seventyFourStepsAndThreeEvaluationsAgreeWithTrl(@TempDir Path work) throws IOException {
    JsonNode fixture = JSON.readTree(SharedFolder.resolve("fixtures/tiny_chat_250.json"));
    List<String> rows = Files.readAllLines(SharedFolder.resolve("data/dpo_en_demo.jsonl"));
    Map<String, Object> options = new HashMap<>();
    for (var setting : fixture.get("config").properties()) {
      if (!setting.getKey().equals("bf16") && !setting.getKey().equals("gradient_checkpointing")) {
        options.put(setting.getKey(), setting.getValue().asString());
      }
    }
    options.put("model", SharedFolder.resolve("models/tiny-chat"));
    options.put("data_file", Files.write(work.resolve("train.jsonl"), rows.subList(0, 250)));
    options.put("eval_file", Files.write(work.resolve("eval.jsonl"), rows.subList(250, 300)));
    options.put("output_dir", work.resolve("out"));
    options.put("shuffle", false);
    String printed = run(options);
    assertThat(printed)
        .contains(
            fixture.get("kept_train").asInt() + " of 250 pairs kept",
            fixture.get("kept_eval").asInt() + " of 50 pairs kept");

    JsonNode log = JSON.readTree(work.resolve("out/trainer_state.json")).get("log_history");
    List<JsonNode> ours = with("loss", log);
    List<JsonNode> theirs = with("loss", fixture.get("log"));
    assertThat(ours).hasSize(74).hasSameSizeAs(theirs);
    for (int i = 0; i < ours.size(); i++) {
      compare("step " + i, "", ours.get(i), theirs.get(i), i < 10 ? 5e-4 : 2e-2);
    }
    List<JsonNode> ourEvaluations = with("eval_loss", log);
    List<JsonNode> theirEvaluations = with("eval_loss", fixture.get("log"));
    assertThat(ourEvaluations).hasSize(3).hasSameSizeAs(theirEvaluations);
    for (int i = 0; i < 3; i++) {
      JsonNode our = ourEvaluations.get(i);
      JsonNode their = theirEvaluations.get(i);
      compare("evaluation " + i, "eval_", our, their, i == 0 ? 5e-4 : 2e-2);
      String accuracy = "eval_rewards/accuracies";
      assertThat(our.get(accuracy).asDouble())
          .usingComparator(relative(1.0 / 33 + 1e-6))
          .isEqualTo(their.get(accuracy).asDouble());
    }
  }

  @Test
  void harmlessRunsThroughWithEveryRowAccountedFor(@TempDir Path work) throws IOException {
    String printed =
        run(
            Map.of(
                "model",
                SharedFolder.resolve("models/tiny-chat"),
                "data_file",
                SharedFolder.resolve("data/hh_harmless_500.jsonl"),
                "output_dir",
                work.resolve("out"),
                "max_length",
                512,
                "max_steps",
                2,
                "logging_steps",
                1));
    assertThat(printed)
        .contains(
            "490 of 500 pairs kept, 15 of them cut by max_length;"
                + " 10 dropped: prompt alone reaches max_length (first ");
    assertThat(work.resolve("out/model.safetensors")).exists();
  }

  private static String run(Map<String, ?> options) {
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    PrintStream out = new PrintStream(printed, true, StandardCharsets.UTF_8);
    TrainingRun.run(TrainingConfig.of(options), new RunOutput(out, out, Progress.NONE));
    return printed.toString(StandardCharsets.UTF_8);
  }

  private static List<JsonNode> with(String metric, JsonNode log) {
    return StreamSupport.stream(log.spliterator(), false).filter(row -> row.has(metric)).toList();
  }

  private static void compare(
      String what, String prefix, JsonNode ours, JsonNode theirs, double tolerance) {
    for (String metric : METRICS) {
      double expected = theirs.get(prefix + metric).asDouble();
      assertThat(ours.get(prefix + metric).asDouble())
          .as("%s of %s", metric, what)
          .usingComparator(relative(tolerance))
          .isEqualTo(expected);
    }
  }
}
