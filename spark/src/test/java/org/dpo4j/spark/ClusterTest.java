package org.dpo4j.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.run.TrainingRun;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Executors that are processes of their own. Closes: a task that needs what only the driver's JVM
 * has, and a row that is lost, doubled or changed when an executor dies.
 */
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class ClusterTest {

  private static SparkSession spark;

  private final Path folder;

  ClusterTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @BeforeAll
  static void start() throws IOException {
    Files.createDirectories(Path.of(System.getenv("SPARK_HOME")));
    spark = SparkFixture.session(SparkFixture.CLUSTER);
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  private Dataset<Row> pairs(int rows) throws IOException {
    return SparkFixture.pairs(spark, folder, rows);
  }

  /**
   * Rows of which one holds its process, the first time that it is computed, until that is killed.
   *
   * @param marker gets the number of the process
   */
  private static Dataset<Row> holdingOnce(Dataset<Row> rows, Path marker) {
    return rows.mapPartitions(new HoldOnce(marker.toString()), Encoders.row(rows.schema()));
  }

  private record HoldOnce(String marker) implements MapPartitionsFunction<Row, Row> {
    private static final int HELD = 12;

    @Override
    public Iterator<Row> call(Iterator<Row> rows) {
      return new Iterator<>() {
        private int read;

        @Override
        public boolean hasNext() {
          return rows.hasNext();
        }

        @Override
        public Row next() {
          if (++read == HELD) {
            hold();
          }
          return rows.next();
        }
      };
    }

    private void hold() {
      try {
        Path pending = Path.of(marker + ".pending");
        Files.createFile(pending);
        Files.writeString(
            pending, Long.toString(ProcessHandle.current().pid()), StandardOpenOption.WRITE);
        Files.move(pending, Path.of(marker));
        Files.createFile(pending); // nobody holds again
        Thread.sleep(TimeUnit.MINUTES.toMillis(2));
      } catch (FileAlreadyExistsException e) {
        return;
      } catch (IOException | InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  /** Kills the process of a marker once it is there. */
  private static Thread killer(Path marker, List<ProcessHandle> killed) {
    Thread thread =
        new Thread(
            () -> {
              try {
                while (!Files.exists(marker)) {
                  Thread.sleep(20);
                }
                ProcessHandle executor =
                    ProcessHandle.of(Long.parseLong(Files.readString(marker))).orElseThrow();
                killed.add(executor);
                executor.destroyForcibly();
              } catch (IOException | InterruptedException e) {
                throw new IllegalStateException(e);
              }
            });
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  private static void requireKilled(Thread killer, List<ProcessHandle> killed)
      throws InterruptedException {
    killer.join();
    assertThat(killed).singleElement().matches(executor -> !executor.isAlive());
    assertThat(killed.get(0).pid()).isNotEqualTo(ProcessHandle.current().pid());
  }

  @Test
  void executorsAreOtherProcessesAndScoreWhatOneMachineScores() throws Exception {
    Map<String, Object> options =
        Map.of("model", SparkFixture.MODEL, "ref_model", SparkFixture.MODEL);
    Dataset<Row> pairs = pairs(16);

    Set<Long> processes = new TreeSet<>();
    MapPartitionsFunction<Row, Long> pid =
        rows -> List.of(ProcessHandle.current().pid()).iterator();
    for (int i = 0; i < 10 && processes.size() < 2; i++) {
      processes.addAll(pairs.mapPartitions(pid, Encoders.LONG()).collectAsList());
    }
    List<Row> scored = SparkScoring.score(pairs, options).collectAsList();

    assertThat(processes).hasSizeGreaterThan(1).doesNotContain(ProcessHandle.current().pid());
    requireThoseOfOneMachine(scored, options);
  }

  @Test
  void aKilledExecutorLosesDoublesAndChangesNoRow() throws Exception {
    Map<String, Object> options =
        Map.of("model", SparkFixture.MODEL, "ref_model", SparkFixture.MODEL);
    Path marker = folder.resolve("marker");
    List<ProcessHandle> killed = new ArrayList<>();
    Thread killer = killer(marker, killed);

    List<Row> scored = SparkScoring.score(holdingOnce(pairs(16), marker), options).collectAsList();

    requireKilled(killer, killed);
    requireThoseOfOneMachine(scored, options);
  }

  private void requireThoseOfOneMachine(List<Row> scored, Map<String, Object> options)
      throws IOException {
    SparkFixture.requireSameScores(
        scored, SparkFixture.scoredByOneMachine(SparkFixture.PAIRS, folder, options));
  }

  @Test
  void pairsAreEvaluatedOnOtherProcesses() throws Exception {
    Path marker = folder.resolve("marker");
    List<ProcessHandle> killed = new ArrayList<>();
    Thread killer = killer(marker, killed);

    String figures =
        SparkEvaluation.evaluate(
            holdingOnce(pairs(16), marker),
            Map.of("model", SparkFixture.MODEL, "ref_model", SparkFixture.MODEL));

    requireKilled(killer, killed);
    assertThat(figures).contains("\"pairs\":64,", "\"logps/accuracies\"");
  }

  @Test
  void aReferenceIsThatOfOneMachineThoughAnExecutorIsKilled() throws Exception {
    Map<String, Object> options = new LinkedHashMap<>();
    options.put("model", SparkFixture.MODEL);
    options.put("data_file", SparkFixture.PAIRS);
    options.put("output_dir", folder.resolve("out"));
    options.put("max_steps", 1);
    options.put("threads", 1);
    Map<String, Object> alone = new LinkedHashMap<>(options);
    alone.put("reference_cache", folder.resolve("alone"));
    options.put("reference_cache", folder.resolve("cluster"));
    TrainingRun.run(TrainingConfig.of(alone), SparkFixture.output(new ByteArrayOutputStream()));
    Path marker = folder.resolve("marker");
    List<ProcessHandle> killed = new ArrayList<>();
    Thread killer = killer(marker, killed);

    Path file = SparkReference.compute(holdingOnce(pairs(15), marker), options);

    requireKilled(killer, killed);
    assertThat(file).hasSameBinaryContentAs(folder.resolve("alone").resolve(file.getFileName()));
  }
}
