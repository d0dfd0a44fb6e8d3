package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;
import static org.dpo4j.run.RunFixture.suspending;
import static org.dpo4j.run.RunFixture.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.dpo4j.Cancellation;
import org.dpo4j.DpoException;
import org.dpo4j.EndReason;
import org.dpo4j.FakeMlflow;
import org.dpo4j.FakeMlflow.Point;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingResult;
import org.dpo4j.UsageException;
import org.dpo4j.config.TrainingConfig;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: a run that MLflow shows with other numbers than {@code trainer_state.json}, with gaps or
 * doubled points where it was continued, or as running when it is over; and a run that a server
 * hinders.
 */
class MlflowRunTest {

  private static final TrainingListener NOBODY = new TrainingListener() {};

  private final Path folder;
  private final FakeMlflow server = new FakeMlflow();
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  MlflowRunTest(@TempDir Path folder) throws IOException {
    this.folder = folder;
  }

  @AfterEach
  void close() {
    server.close();
  }

  @Test
  void theRunHasEveryEntryOfTheLogItsOptionsAndItsEnd() throws IOException {
    train("run", Map.of("eval_split", 5, "eval_strategy", "steps", "log_format", "json"), NOBODY);

    FakeMlflow.Run run = server.run();
    assertThat(run.points)
        .containsExactlyInAnyOrderElementsOf(logged("run"))
        .hasSizeGreaterThan(100);
    assertThat(run.points).extracting(Point::step).isSorted();
    assertThat(run.status).isEqualTo("FINISHED");
    assertThat(run.ended).isTrue();
    assertThat(run.experiment).isEqualTo("0");
    assertThat(run.tags)
        .containsEntry("mlflow.runName", folder.getFileName() + "/run")
        .containsEntry("mlflow.source.name", "dpo4j");
    assertThat(run.params)
        .containsEntry("learning_rate", "0.001")
        .containsEntry("beta", "0.1") // a default
        .containsEntry("loss_type", "[sigmoid]")
        .doesNotContainKeys("report_to", "log_format");
    assertThat(server.paths().subList(0, 3))
        .containsExactly("experiments/get-by-name", "runs/create", "runs/log-batch");
    assertThat(server.paths()).last().isEqualTo("runs/update");
    assertThat(text(err))
        .contains(
            "metrics are sent to MLflow at " + server.address(),
            "MLflow has the metrics: " + server.address() + "/#/experiments/0/runs/run0")
        .doesNotContain("warning");
    assertThat(text(out).lines()).allMatch(line -> line.startsWith("{") && line.endsWith("}"));
  }

  @Test
  void theEnvironmentNamesTheExperimentTheUserAndTags() throws IOException {
    server.token = "Bearer s3cret";
    train(
        "run",
        Map.of("run_name", "third try"),
        NOBODY,
        Map.of(
            "MLFLOW_EXPERIMENT_NAME", "chat & more",
            "MLFLOW_TRACKING_TOKEN", "s3cret",
            "MLFLOW_TAGS", "{\"team\": \"search\"}"));
    assertThat(server.experiments).containsEntry("chat & more", "1");
    assertThat(server.run().experiment).isEqualTo("1");
    assertThat(server.run().tags)
        .containsEntry("mlflow.runName", "third try")
        .containsEntry("team", "search");
    assertThat(server.run().status).isEqualTo("FINISHED");
  }

  /** The first run logs steps after the checkpoint before it ends. */
  @Test
  void aContinuedRunIsTheSameRunAndHasEachPointOnce() throws IOException {
    Map<String, Object> options =
        Map.of("eval_split", 5, "eval_strategy", "steps", "save_steps", 3);
    Cancellation cancellation = new Cancellation();
    TrainingResult broken =
        run("run", options, cancellation, suspending(cancellation, 5), Map.of());
    assertThat(broken.endReason()).isEqualTo(EndReason.SUSPENDED);
    assertThat(server.run().status).isEqualTo("KILLED");
    Files.move(folder.resolve("run/checkpoint-5"), folder.resolve("checkpoint-5"));

    Map<String, Object> continued = new LinkedHashMap<>(options);
    continued.put("resume_from_checkpoint", true);
    continued.put("save_total_limit", 3); // another value of a parameter that is there
    train("run", continued, NOBODY);
    assertThat(server.run().status).isEqualTo("FINISHED");
    assertThat(untimed(server.run().points))
        .containsExactlyInAnyOrderElementsOf(untimed(logged("run")));
    assertThat(server.run().params).containsEntry("save_total_limit", "2");

    // Of a folder that has lost its record another run is made, which has the whole history.
    Files.delete(folder.resolve("run/mlflow.json"));
    continued.put("resume_from_checkpoint", folder.resolve("run/checkpoint-6"));
    train("run", continued, NOBODY);
    assertThat(run("run1").points).containsExactlyInAnyOrderElementsOf(logged("run"));
  }

  @Test
  void theLastEvaluationOfTheBestWeightsIsSentAtItsStep() throws IOException {
    Map<String, Object> options = new LinkedHashMap<>();
    options.put("eval_split", 5);
    options.put("eval_strategy", "steps");
    options.put("save_strategy", "best");
    options.put("load_best_model_at_end", true);
    options.put("metric_for_best_model", "rewards/chosen");
    options.put("greater_is_better", false);
    train("run", options, NOBODY);
    assertThat(server.run().points).containsExactlyInAnyOrderElementsOf(logged("run"));
  }

  @Test
  void aRunThatTheEnvironmentNamesIsContinuedOrIsNotThere() throws IOException {
    train("run", Map.of(), NOBODY, Map.of("MLFLOW_RUN_ID", "nowhere"));
    assertThat(server.runs).isEmpty();
    assertThat(text(err))
        .contains("has no run nowhere, which MLFLOW_RUN_ID names; training goes on")
        .contains("MLflow lacks 7 log lines of this run (steps 1 to 6)");

    FakeMlflow.Run mine = new FakeMlflow.Run();
    mine.experiment = "0";
    server.runs.put("mine", mine);
    train("other", Map.of(), NOBODY, Map.of("MLFLOW_RUN_ID", "mine"));
    assertThat(server.run().points).containsExactlyInAnyOrderElementsOf(logged("other"));
    assertThat(server.run().status).isEqualTo("FINISHED");
  }

  @Test
  void aRunThatFailsIsFailedAndACancelledOneKilled() throws IOException {
    assertThatThrownBy(
            () ->
                train(
                    "failed",
                    Map.of(),
                    new TrainingListener() {
                      @Override
                      public void onReport(StepReport report, TrainingControl control) {
                        throw new IllegalStateException("my listener");
                      }
                    }))
        .isInstanceOf(DpoException.class);
    assertThat(server.run().status).isEqualTo("FAILED");
    server.runs.clear();

    Cancellation cancellation = new Cancellation();
    run(
        "cancelled",
        Map.of(),
        cancellation,
        new TrainingListener() {
          @Override
          public void onReport(StepReport report, TrainingControl control) {
            cancellation.cancel();
          }
        },
        Map.of());
    assertThat(server.run().status).isEqualTo("KILLED");
  }

  @Test
  void withoutAnAddressNothingIsLoaded() {
    assertThatThrownBy(
            () ->
                TrainingRun.run(
                    TrainingConfig.of(
                        Map.of(
                            "model", folder.resolve("none"),
                            "data_file", folder.resolve("none.jsonl"),
                            "output_dir", folder.resolve("run"),
                            "report_to", "mlflow")),
                    ProgramInputs.NONE,
                    output(out, err),
                    Map.of(),
                    new Cancellation(),
                    List.of()))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "report_to mlflow needs the address of a tracking server in the environment but"
                + " MLFLOW_TRACKING_URI is not set; set it, for example"
                + " MLFLOW_TRACKING_URI=http://localhost:5000, where mlflow server listens");
  }

  @Test
  void aServerThatIsNotThereHindersNothing() throws IOException {
    server.close();
    train("run", Map.of(), NOBODY);
    assertThat(folder.resolve("run/model.safetensors")).exists();
    assertThat(text(err))
        .contains("warning: MLflow does not get the metrics now: " + server.address())
        .contains("MLflow lacks 7 log lines of this run (steps 1 to 6)");
    assertThat(text(err).split("warning: ", -1)).hasSizeLessThanOrEqualTo(4);
  }

  private FakeMlflow.Run run(String id) {
    return Objects.requireNonNull(server.runs.get(id), id);
  }

  private List<Point> logged(String run) throws IOException {
    return logged(folder.resolve(run));
  }

  /** The numbers of a finished run's {@code log_history}. */
  static List<Point> logged(Path run) throws IOException {
    JsonNode state =
        JsonMapper.shared().readTree(Files.readString(run.resolve("trainer_state.json")));
    List<Point> points = new ArrayList<>();
    for (JsonNode entry : state.get("log_history")) {
      entry
          .properties()
          .forEach(
              value -> {
                if (!value.getKey().equals("step")) {
                  points.add(
                      new Point(
                          value.getKey(), entry.get("step").asLong(), value.getValue().asDouble()));
                }
              });
    }
    return points;
  }

  /** Times differ from run to run. */
  static List<Point> untimed(List<Point> points) {
    return points.stream()
        .filter(point -> !point.name().matches(".*(time|per_second)"))
        .distinct()
        .toList();
  }

  private void train(String name, Map<String, Object> options, TrainingListener listener) {
    train(name, options, listener, Map.of());
  }

  private void train(
      String name,
      Map<String, Object> options,
      TrainingListener listener,
      Map<String, String> environment) {
    assertThat(run(name, options, new Cancellation(), listener, environment).endReason())
        .isEqualTo(EndReason.COMPLETED);
  }

  private TrainingResult run(
      String name,
      Map<String, Object> options,
      Cancellation cancellation,
      TrainingListener listener,
      Map<String, String> environment) {
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("model", fixture("models/llama"));
    all.put("data_file", fixture("pairs32.jsonl"));
    all.put("output_dir", folder.resolve(name));
    all.put("reference_cache", folder.resolve("cache"));
    all.put("learning_rate", 1e-3);
    all.put("max_steps", 6);
    all.put("logging_steps", 1);
    all.put("sample_prompts", 0);
    all.put("threads", 1);
    all.put("max_length", 128);
    all.put("report_to", "mlflow");
    all.putAll(options);
    Map<String, String> variables = new LinkedHashMap<>(environment);
    variables.put("MLFLOW_TRACKING_URI", server.address());
    return TrainingRun.run(
        TrainingConfig.of(all),
        ProgramInputs.NONE,
        output(out, err),
        variables,
        cancellation,
        List.of(listener));
  }
}
