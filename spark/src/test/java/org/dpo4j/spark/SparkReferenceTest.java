package org.dpo4j.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.run.TrainingRun;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: a reference of a cluster that is not that of one machine, or that train does not use. */
class SparkReferenceTest {

  private static SparkSession spark;

  private final Path folder;

  SparkReferenceTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @BeforeAll
  static void start() {
    spark = SparkFixture.session("local[2]");
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  private Map<String, Object> options(String cache) {
    Map<String, Object> options = new LinkedHashMap<>();
    options.put("model", SparkFixture.MODEL);
    options.put("data_file", SparkFixture.PAIRS);
    options.put("output_dir", folder.resolve("out-" + cache));
    options.put("reference_cache", folder.resolve(cache));
    options.put("max_steps", 1);
    options.put("threads", 1);
    return options;
  }

  private static String train(Map<String, ?> options) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    TrainingRun.run(TrainingConfig.of(options), SparkFixture.output(out));
    return out.toString(StandardCharsets.UTF_8);
  }

  private Path onlyFile(String cache) throws IOException {
    try (Stream<Path> files = Files.list(folder.resolve(cache))) {
      List<Path> all = files.toList();
      assertThat(all).hasSize(1);
      return all.get(0);
    }
  }

  @Test
  void theFileOfManyPartitionsIsThatOfOneMachineAndTrainReadsIt() throws IOException {
    assertThat(train(options("alone"))).contains("64 training pairs computed and kept in");
    // Boundaries of partitions cut batches of 2,048 tokens.
    Dataset<Row> pairs = SparkFixture.pairs(spark, folder, 7);

    Path file = SparkReference.compute(pairs, options("cluster"));

    assertThat(file).hasSameBinaryContentAs(onlyFile("alone"));
    assertThat(train(options("cluster"))).contains("64 training pairs read from " + file);
  }

  @Test
  void anAdaptersBaseAndAnotherModelAreReferences() throws IOException {
    for (Map<String, Object> reference :
        List.<Map<String, Object>>of(
            Map.of("use_peft", true, "reference", "base"),
            Map.of("ref_model", SparkFixture.MODEL, "ld_alpha", 0.5))) {
      String name = String.join("-", reference.keySet());
      Map<String, Object> alone = options("alone-" + name);
      Map<String, Object> cluster = options("cluster-" + name);
      alone.putAll(reference);
      cluster.putAll(reference);
      train(alone);

      Path file = SparkReference.compute(SparkFixture.pairs(spark, folder, 10), cluster);

      assertThat(file).hasSameBinaryContentAs(onlyFile("alone-" + name));
    }
  }

  @Test
  void aSecondCallKeepsTheFile() throws IOException {
    Dataset<Row> pairs = spark.read().json(SparkFixture.PAIRS.toString());
    Path file = SparkReference.compute(pairs, options("twice"));
    byte[] before = Files.readAllBytes(file);
    Files.setLastModifiedTime(file, FileTime.fromMillis(1000));

    assertThat(SparkReference.compute(pairs, options("twice"))).isEqualTo(file);

    assertThat(Files.readAllBytes(file)).isEqualTo(before);
    assertThat(Files.getLastModifiedTime(file).toMillis()).isEqualTo(1000);
  }

  @Test
  void whatHasNoTableOfRowsInTheirOrderIsRefused() {
    Dataset<Row> pairs = spark.read().json(SparkFixture.PAIRS.toString());
    for (Map<String, Object> wrong :
        List.<Map<String, Object>>of(
            Map.of("reference", "none", "loss_type", "cpo"),
            Map.of("loss_type", "kto"),
            Map.of("sync_ref_model", true),
            Map.of("eval_split", 0.1),
            Map.of("max_samples", 3),
            Map.of("reference_cache", "off"))) {
      Map<String, Object> options = options("refused");
      options.putAll(wrong);
      assertThatThrownBy(() -> SparkReference.compute(pairs, options))
          .as("%s", wrong)
          .isInstanceOf(UsageException.class);
    }
  }

  @Test
  void anEmptyDatasetIsRefused() {
    Dataset<Row> none =
        spark.read().json(SparkFixture.PAIRS.toString()).filter(functions.lit(false));

    assertThatThrownBy(() -> SparkReference.compute(none, options("empty")))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("at least one pair must be usable");
  }
}
