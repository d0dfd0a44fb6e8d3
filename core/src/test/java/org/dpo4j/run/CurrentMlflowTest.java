package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;
import static org.dpo4j.run.RunFixture.suspending;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.dpo4j.Cancellation;
import org.dpo4j.FakeMlflow.Point;
import org.dpo4j.TrainingListener;
import org.dpo4j.config.TrainingConfig;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: a run that a current MLflow refuses or shows with other numbers. {@code mlflow_points.py}
 * reads it with MLflow's client; the property names a Python that has MLflow. {@code .ci/mlflow}
 * runs this test.
 */
@EnabledIfSystemProperty(named = "dpo4j.mlflow", matches = ".+")
class CurrentMlflowTest {

  private final Path folder;
  private final String address;
  private final Process server;

  CurrentMlflowTest(@TempDir Path folder) throws Exception {
    this.folder = folder;
    int port;
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    this.address = "http://127.0.0.1:" + port;
    this.server =
        new ProcessBuilder(
                System.getProperty("dpo4j.mlflow"),
                "-m",
                "mlflow",
                "server",
                "--host=127.0.0.1",
                "--port=" + port,
                "--workers=1",
                "--backend-store-uri=sqlite:///" + folder.resolve("mlflow.db"),
                "--artifacts-destination=" + folder.resolve("artifacts"))
            .redirectErrorStream(true)
            .redirectOutput(folder.resolve("server.log").toFile())
            .start();
    while (!listens(port)) {
      assertThat(server.isAlive()).as(Files.readString(folder.resolve("server.log"))).isTrue();
      Thread.sleep(200);
    }
  }

  private static boolean listens(int port) {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      return socket.isConnected();
    } catch (IOException e) {
      return false;
    }
  }

  @AfterEach
  void stop() throws InterruptedException {
    server.descendants().forEach(ProcessHandle::destroyForcibly);
    server.destroyForcibly();
    server.waitFor(10, TimeUnit.SECONDS);
  }

  @Test
  void hasEveryNumberOfARunAndOfOneThatWasContinued() throws IOException {
    run("whole", Map.of(), new Cancellation(), new TrainingListener() {});
    JsonNode whole = read("whole");
    assertThat(points(whole))
        .containsExactlyInAnyOrderElementsOf(logged("whole"))
        .hasSizeGreaterThan(100);
    assertThat(whole.get("status").asString()).isEqualTo("FINISHED");
    assertThat(whole.get("ended").asBoolean()).isTrue();
    assertThat(whole.get("name").asString()).endsWith("/whole");
    assertThat(whole.get("experiment").asString()).isEqualTo("a & b");
    assertThat(whole.at("/params/learning_rate").asString()).isEqualTo("0.001");

    Cancellation cancellation = new Cancellation();
    run("broken", Map.of(), cancellation, suspending(cancellation, 5));
    assertThat(read("broken").get("status").asString()).isEqualTo("KILLED");
    Files.move(folder.resolve("broken/checkpoint-5"), folder.resolve("checkpoint-5"));
    run(
        "broken",
        Map.of("resume_from_checkpoint", true, "save_total_limit", 5),
        new Cancellation(),
        new TrainingListener() {});
    JsonNode broken = read("broken");
    assertThat(broken.get("status").asString()).isEqualTo("FINISHED");
    assertThat(untimed(points(broken)))
        .containsExactlyInAnyOrderElementsOf(untimed(logged("broken")));
  }

  private static List<Point> points(JsonNode run) {
    List<Point> points = new ArrayList<>();
    run.get("points")
        .forEach(
            point ->
                points.add(
                    new Point(
                        point.get(0).asString(),
                        point.get(1).asLong(),
                        Double.parseDouble(point.get(2).asString()))));
    return points;
  }

  private List<Point> logged(String run) throws IOException {
    return MlflowRunTest.logged(folder.resolve(run));
  }

  private static List<Point> untimed(List<Point> points) {
    return MlflowRunTest.untimed(points);
  }

  private JsonNode read(String run) throws IOException {
    JsonNode record =
        JsonMapper.shared().readTree(Files.readString(folder.resolve(run + "/mlflow.json")));
    Process process =
        new ProcessBuilder(
                System.getProperty("dpo4j.mlflow"),
                Path.of("src/test/python/mlflow_points.py").toAbsolutePath().toString(),
                address,
                record.get("run_id").asString())
            .redirectError(folder.resolve("errors").toFile())
            .start();
    String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(text).as(Files.readString(folder.resolve("errors"))).startsWith("{");
    return JsonMapper.shared().readTree(text);
  }

  private void run(
      String name,
      Map<String, Object> options,
      Cancellation cancellation,
      TrainingListener listener) {
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("model", fixture("models/llama"));
    all.put("data_file", fixture("pairs32.jsonl"));
    all.put("output_dir", folder.resolve(name));
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
    all.put("report_to", "mlflow");
    all.putAll(options);
    TrainingRun.run(
        TrainingConfig.of(all),
        ProgramInputs.NONE,
        output(new ByteArrayOutputStream()),
        Map.of("MLFLOW_TRACKING_URI", address, "MLFLOW_EXPERIMENT_NAME", "a & b"),
        cancellation,
        List.of(listener));
  }
}
