package org.dpo4j.tracking;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.dpo4j.FakeMlflow;
import org.dpo4j.FakeMlflow.Point;
import org.dpo4j.report.RunHistory;
import org.dpo4j.tracking.MlflowRun.Facts;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes: a server that is slow, broken or not meant, and makes a run wait, fail, or keep quiet
 * about what it lost.
 */
@Timeout(60)
class MlflowRunTest {

  private static final Patience SHORT = patience(500, 10_000, 1000);

  private final Path record;
  private final FakeMlflow server = new FakeMlflow();
  private final RunHistory history = new RunHistory();
  private final List<String> warnings = new ArrayList<>();
  private final List<String> said = new ArrayList<>();
  private final Map<String, String> environment = new HashMap<>();

  MlflowRunTest(@TempDir Path folder) throws IOException {
    this.record = folder.resolve("mlflow.json");
    environment.put("MLFLOW_TRACKING_URI", server.address());
  }

  @AfterEach
  void close() {
    server.close();
  }

  private static Patience patience(int answer, int end, int waiting) {
    return new Patience(
        Duration.ofSeconds(5),
        Duration.ofMillis(answer),
        Duration.ofMillis(20),
        Duration.ofMillis(100),
        Duration.ofMillis(end),
        waiting);
  }

  private MlflowRun begin(Patience patience, Map<String, String> parameters) {
    MlflowRun run =
        new MlflowRun(MlflowServer.of(environment), history, warnings::add, said::add, patience);
    run.begin(record, false, new Facts("name", parameters, Map.of("by", "test")));
    return run;
  }

  /** Appends an entry at the last step, which is 0 without steps. */
  private void log(MlflowRun run, double loss) {
    history.finish(Map.of("loss", loss));
    run.addLast();
  }

  private static void end(MlflowRun run) {
    run.onFailure(new IllegalStateException("over"));
  }

  /** The last entry of a run's log as often as it was sent. */
  private List<Double> losses() {
    return server.run().points.stream().map(Point::value).toList();
  }

  @Test
  void moreThanARequestMayHoldIsSentInSeveral() {
    Map<String, String> parameters = new LinkedHashMap<>();
    for (int i = 0; i < 250; i++) {
      parameters.put("option" + i, "x".repeat(i == 7 ? 7000 : 3));
    }
    CountDownLatch open = new CountDownLatch(1);
    server.fault =
        (exchange, path) -> {
          await(open); // so that entries wait
          return false;
        };
    MlflowRun run = begin(patience(20_000, 10_000, 5000), parameters);
    for (int i = 1; i <= 2500; i++) {
      log(run, i);
    }
    open.countDown();
    end(run);
    assertThat(server.run().params).hasSize(250);
    assertThat(server.run().params.get("option7")).hasSize(6000).endsWith("x...");
    assertThat(losses()).hasSize(2500).isSorted();
    assertThat(server.run().status).isEqualTo("FAILED");
    assertThat(server.run().tags).containsEntry("by", "test");
    assertThat(warnings).isEmpty();
    assertThat(server.requests).hasSizeLessThan(20);
  }

  @Test
  void numbersThatAreNotFiniteArrive() {
    MlflowRun run = begin(SHORT, Map.of());
    log(run, Double.NaN);
    log(run, Double.POSITIVE_INFINITY);
    log(run, Double.NEGATIVE_INFINITY);
    log(run, 1e-300);
    end(run);
    assertThat(losses())
        .containsExactly(Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, 1e-300);
  }

  @Test
  void aFailureThatPassesCostsOneWarningAndNothingElse() {
    AtomicInteger failures = new AtomicInteger();
    server.fault =
        (exchange, path) -> {
          if (failures.getAndIncrement() % 3 != 2) {
            FakeMlflow.answer(exchange, failures.get() % 2 == 0 ? 503 : 429, "<html>busy</html>");
            return true;
          }
          return false;
        };
    MlflowRun run = begin(SHORT, Map.of("beta", "0.1"));
    log(run, 1);
    log(run, 2);
    waitUntil(() -> server.runs.size() == 1 && server.run().points.size() == 2);
    server.fault = (exchange, path) -> false;
    end(run);
    assertThat(losses()).containsExactly(1.0, 2.0);
    assertThat(server.run().params).containsExactly(Map.entry("beta", "0.1"));
    assertThat(warnings)
        .containsExactly(
            "MLflow does not get the metrics now: %s answers with status 429; training goes on, and sending is tried again"
                .formatted(server.address()));
    assertThat(said).last().asString().contains("/#/experiments/0/runs/run0");
  }

  /** As a server that has hung up: neither an answer nor an end of the connection. */
  @Test
  void aServerThatHangsHoldsUpOnlyTheEndAndThatNotLong() {
    CountDownLatch never = new CountDownLatch(1);
    server.fault =
        (exchange, path) -> {
          await(never);
          return true;
        };
    MlflowRun run = begin(SHORT, Map.of());
    for (int i = 1; i <= 5; i++) {
      log(run, i);
    }
    end(run);
    never.countDown();
    assertThat(warnings)
        .anySatisfy(text -> assertThat(text).contains("did not answer within"))
        .last()
        .asString()
        .startsWith("MLflow lacks 5 log lines of this run (steps 0 to 0)");
    assertThat(warnings).hasSizeLessThanOrEqualTo(3);
  }

  /** A few bytes at a time, for ever: each resets a limit for the next one. */
  @Test
  void aServerThatDribblesIsGivenUp() {
    server.fault =
        (exchange, path) -> {
          exchange.sendResponseHeaders(200, 0);
          try (OutputStream body = exchange.getResponseBody()) {
            for (int i = 0; i < 600; i++) {
              body.write(' ');
              body.flush();
              pause(20);
            }
          }
          return true;
        };
    MlflowRun run = begin(SHORT, Map.of());
    log(run, 1);
    end(run);
    assertThat(warnings)
        .anySatisfy(text -> assertThat(text).contains("did not answer within"))
        .last()
        .asString()
        .startsWith("MLflow lacks 1 log line of this run");
  }

  @Test
  void anAnswerWithoutEndIsGivenUp() {
    server.fault =
        (exchange, path) -> {
          exchange.sendResponseHeaders(200, 0);
          byte[] much = new byte[1 << 20];
          for (int i = 0; i < 64; i++) {
            exchange.getResponseBody().write(much);
          }
          return true;
        };
    MlflowRun run = begin(patience(10_000, 10_000, 1000), Map.of());
    log(run, 1);
    end(run);
    assertThat(warnings)
        .anySatisfy(text -> assertThat(text).contains("the answer has more than 8,388,608 bytes"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "<html>Welcome</html>", "[]", "{}", "{\"experiment\": {}}", "{"})
  void garbageIsNoTrackingServer(String garbage) {
    server.fault =
        (exchange, path) -> {
          FakeMlflow.answer(exchange, 200, garbage);
          return true;
        };
    MlflowRun run = begin(SHORT, Map.of());
    waitUntil(() -> !server.requests.isEmpty());
    log(run, 1);
    end(run);
    assertThat(warnings).hasSize(2);
    assertThat(warnings.get(0))
        .startsWith(
            "nothing more is sent to MLflow: %s is no MLflow tracking server: its answer "
                .formatted(server.address()))
        .endsWith("; training goes on, and metrics.jsonl has all");
    assertThat(warnings.get(1)).startsWith("MLflow lacks 1 log line of this run");
    assertThat(server.requests).hasSize(1);
    assertThat(said).hasSize(1);
  }

  @Test
  void aWrongTokenIsRefusedOnceAndNeverShown() {
    server.token = "Bearer right";
    environment.put("MLFLOW_TRACKING_TOKEN", "wr0ng");
    MlflowRun run = begin(SHORT, Map.of());
    waitUntil(() -> !server.requests.isEmpty());
    log(run, 1);
    end(run);
    assertThat(warnings.get(0))
        .contains(server.address() + " refuses the token or the password (status 401)");
    assertThat(server.requests).hasSize(1);
    assertThat(server.requests.get(0).authorization()).isEqualTo("Bearer wr0ng");
    assertThat(warnings.toString() + said).doesNotContain("wr0ng");
  }

  @Test
  void withoutATokenItIsSaidWhatToSet() {
    server.token = "Bearer right";
    MlflowRun run = begin(SHORT, Map.of());
    end(run);
    assertThat(warnings.get(0))
        .contains("wants to know who asks (status 401); set MLFLOW_TRACKING_TOKEN, or");
  }

  /** A message of the server that repeats what it was sent. */
  @Test
  void aSecretInAnAnswerIsNotShown() {
    environment.put("MLFLOW_TRACKING_USERNAME", "ann");
    environment.put("MLFLOW_TRACKING_PASSWORD", "hidden");
    server.fault =
        (exchange, path) -> {
          FakeMlflow.answer(
              exchange,
              400,
              "{\"error_code\": \"BAD\", \"message\": \"ann hidden %s\"}"
                  .formatted(exchange.getRequestHeaders().getFirst("Authorization")));
          return true;
        };
    end(begin(SHORT, Map.of()));
    assertThat(warnings.get(0)).contains("answers with status 400: ann *** Basic ***");
  }

  /** The token is for this server: it is not carried to another one. */
  @Test
  void aRedirectIsNotFollowed() throws IOException {
    try (FakeMlflow other = new FakeMlflow()) {
      server.fault =
          (exchange, path) -> {
            exchange.getResponseHeaders().set("Location", other.address() + "/login?secret=1");
            exchange.sendResponseHeaders(302, -1);
            return true;
          };
      end(begin(SHORT, Map.of()));
      assertThat(warnings.get(0))
          .contains("sends to http://127.0.0.1 (status 302); set MLFLOW_TRACKING_URI")
          .doesNotContain("secret");
      assertThat(other.requests).isEmpty();
    }
  }

  @Test
  void theQueueHasABoundAndWhatDidNotFitIsCounted() {
    CountDownLatch open = new CountDownLatch(1);
    server.fault =
        (exchange, path) -> {
          await(open);
          return false;
        };
    MlflowRun run = begin(patience(20_000, 10_000, 3), Map.of());
    for (int i = 1; i <= 10; i++) {
      log(run, i);
    }
    open.countDown();
    end(run);
    assertThat(losses()).containsExactly(1.0, 2.0, 3.0);
    assertThat(warnings)
        .containsExactly(
            "MLflow lacks 7 log lines of this run (steps 0 to 0); trainer_state.json has all");
  }

  /** Two runs that begin together: the experiment is there when the second one makes it. */
  @Test
  void anExperimentThatAnotherRunHasMadeIsTaken() {
    environment.put("MLFLOW_EXPERIMENT_NAME", "chat");
    server.fault =
        (exchange, path) -> {
          if (path.equals("experiments/create")) {
            server.experiments.put("chat", "5");
            FakeMlflow.answer(
                exchange, 400, "{\"error_code\": \"RESOURCE_ALREADY_EXISTS\", \"message\": \"\"}");
            return true;
          }
          return false;
        };
    end(begin(SHORT, Map.of()));
    assertThat(server.run().experiment).isEqualTo("5");
    assertThat(warnings).isEmpty();
  }

  @Test
  void theRecordNamesTheRunAndADeletedOneIsNotContinued() throws IOException {
    end(begin(SHORT, Map.of()));
    assertThat(record)
        .content()
        .isEqualTo(
            "{\"tracking_uri\":\"%s\",\"experiment_id\":\"0\",\"run_id\":\"run0\"}\n"
                .formatted(server.address()));
    continued();
    assertThat(server.runs.keySet()).containsExactly("run0");
    server.run().deleted = true;
    continued();
    assertThat(server.runs.keySet()).containsExactly("run0", "run1");
    Files.writeString(record, "{");
    continued();
    Files.writeString(record, Files.readString(record).replace("127.0.0.1", "127.0.0.2"));
    continued();
    assertThat(server.runs).hasSize(4);
    assertThat(warnings).isEmpty();
  }

  private void continued() {
    MlflowRun run =
        new MlflowRun(MlflowServer.of(environment), history, warnings::add, said::add, SHORT);
    run.begin(record, true, new Facts("name", Map.of(), Map.of()));
    end(run);
  }

  @Test
  void aRecordThatCannotBeWrittenIsSaid() throws IOException {
    Files.createDirectory(record);
    end(begin(SHORT, Map.of()));
    assertThat(warnings)
        .singleElement()
        .asString()
        .contains("could not be written")
        .endsWith("unless MLFLOW_RUN_ID=run0 is set");
  }

  /** Whoever interrupts the thread of a run wants it to end now. */
  @Test
  void anInterruptedRunWaitsForNothingAndIsKilled() {
    MlflowRun run = begin(SHORT, Map.of());
    waitUntil(() -> server.runs.size() == 1);
    Thread.currentThread().interrupt();
    end(run);
    assertThat(Thread.interrupted()).isTrue();
  }

  @Test
  void theThreadIsGoneWhenTheRunIsOver() {
    CountDownLatch never = new CountDownLatch(1);
    server.fault =
        (exchange, path) -> {
          await(never);
          return true;
        };
    MlflowRun run = begin(patience(3_600_000, 200, 1000), Map.of());
    log(run, 1);
    end(run);
    assertThat(warnings)
        .singleElement()
        .asString()
        .startsWith("MLflow lacks 1 log line of this run (steps 0 to 0): ")
        .contains("took them too slowly");
    waitUntil(
        () ->
            Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .collect(Collectors.toSet())
                .stream()
                .noneMatch("mlflow"::equals));
    never.countDown();
  }

  @Test
  void textsInAnyScriptArriveAsTheyAre() {
    end(begin(SHORT, Map.of("prompt", "Grüße, 世界 \uD83D\uDE00 \"\n")));
    assertThat(server.run().params).containsEntry("prompt", "Grüße, 世界 \uD83D\uDE00 \"\n");
  }

  private interface Condition {
    boolean holds();
  }

  private static void waitUntil(Condition condition) {
    while (!condition.holds()) {
      pause(5);
    }
  }

  private static void await(CountDownLatch latch) throws IOException {
    try {
      if (!latch.await(50, TimeUnit.SECONDS)) {
        throw new IOException("nobody opened it");
      }
    } catch (InterruptedException e) {
      throw new IOException(e);
    }
  }

  private static void pause(int milliseconds) {
    try {
      Thread.sleep(milliseconds);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
