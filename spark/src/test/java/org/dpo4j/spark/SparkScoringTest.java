package org.dpo4j.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.dpo4j.UsageException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: scores of a Spark job that are not those of one machine, and rows without a fate. */
class SparkScoringTest {

  private static SparkSession spark;

  private final Path folder;

  SparkScoringTest(@TempDir Path folder) {
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

  @Test
  void onePartitionHasTheNumbersOfOneMachineToTheLastBit() throws IOException {
    Map<String, Object> options =
        Map.of("model", SparkFixture.MODEL, "ref_model", SparkFixture.MODEL, "beta", 0.3);

    Dataset<Row> pairs = spark.read().json(SparkFixture.PAIRS.toString()).coalesce(1);
    List<Row> scored = SparkScoring.score(pairs, options).collectAsList();

    requireSame(scored, SparkFixture.scoredByOneMachine(SparkFixture.PAIRS, folder, options));
    assertThat(scored.get(0).schema().fieldNames())
        .containsExactly(
            "chosen",
            "prompt",
            "rejected",
            "rejected_index",
            "status",
            "reason",
            "chosen_logps",
            "rejected_logps",
            "chosen_tokens",
            "rejected_tokens",
            "ref_chosen_logps",
            "ref_rejected_logps",
            "rewards/chosen",
            "rewards/rejected",
            "rewards/margins");
    assertThat(scored.get(0).getList(1))
        .isEqualTo(pairs.first().getList(1)); // the columns of the row
  }

  /** Rows of the job and of one machine, in their order. */
  private static void requireSame(List<Row> scored, List<Map<String, Object>> expected) {
    assertThat(scored).hasSameSizeAs(expected);
    for (int i = 0; i < expected.size(); i++) {
      Row row = scored.get(i);
      Map<String, Object> wanted = expected.get(i);
      for (String column : row.schema().fieldNames()) {
        boolean added = column.matches(".*(logps|tokens|rewards.*|status|reason|rejected_index)");
        if (added) {
          assertThat(row.<Object>getAs(column))
              .as("row %d, %s", i, column)
              .isEqualTo(wanted.get(column));
        }
      }
    }
  }

  @Test
  void partitionsOfWholeBatchesHaveTheNumbersOfOneMachineToTheLastBit() throws IOException {
    Map<String, Object> options = Map.of("model", SparkFixture.MODEL);

    Dataset<Row> pairs = SparkFixture.pairs(spark, folder, 16); // two batches of 8 each
    List<Row> scored = SparkScoring.score(pairs, options).collectAsList();

    requireSame(scored, SparkFixture.scoredByOneMachine(SparkFixture.PAIRS, folder, options));
  }

  @Test
  void everyRowHasItsFate() throws IOException {
    Path data =
        Files.writeString(
            folder.resolve("rows.jsonl"),
            """
            {"prompt": "The sky is", "chosen": " blue.", "rejected": [" green.", " a kind of cheese."]}
            {"prompt": "The sky is", "chosen": " blue."}
            {"prompt": "The sea is", "chosen": " wet.", "rejected": [" dry."]}
            {"prompt": "Fire is", "chosen": " hot.", "rejected": [" hot."]}
            {"prompt": "%s", "chosen": " hot.", "rejected": [" cold."]}
            """
                .formatted("A long day. ".repeat(40)));
    Map<String, Object> options =
        Map.of("model", SparkFixture.MODEL, "on_bad_row", "skip", "max_length", 64);

    List<Row> scored =
        SparkScoring.score(spark.read().json(data.toString()).coalesce(1), options).collectAsList();

    List<Map<String, Object>> expected = SparkFixture.scoredByOneMachine(data, folder, options);
    assertThat(scored).hasSize(6);
    assertThat(expected.stream().map(row -> row.get("status")).distinct()).hasSizeGreaterThan(1);
    requireSame(scored, expected);
  }

  @Test
  void labelledCompletionsHaveTheirColumns() throws IOException {
    Path data =
        Files.writeString(
            folder.resolve("rows.csv"),
            """
            prompt,completion,label
            The sky is, blue.,true
            "The sea, they say, is", dry.,false
            """);
    Map<String, Object> options = Map.of("model", SparkFixture.MODEL);

    List<Row> scored =
        SparkScoring.score(spark.read().option("header", true).csv(data.toString()), options)
            .collectAsList();

    requireSame(scored, SparkFixture.scoredByOneMachine(data, folder, options));
    assertThat(scored.get(0).schema().fieldNames())
        .containsExactly("prompt", "completion", "label", "status", "reason", "logps", "tokens");
  }

  @Test
  void aShippedFolderIsFoundByItsName() {
    spark.sparkContext().addFile(SparkFixture.MODEL.toString(), true);

    List<Row> scored =
        SparkScoring.score(
                spark.read().json(SparkFixture.PAIRS.toString()),
                Map.of("model", "/of/another/machine/tiny-chat"))
            .collectAsList();

    assertThat(scored).hasSize(64).allMatch(row -> row.getAs("status").equals("kept"));
  }

  @Test
  void wrongOptionsAreRefusedBeforeAJobStarts() {
    Dataset<Row> pairs = spark.read().json(SparkFixture.PAIRS.toString());

    assertThatThrownBy(() -> SparkScoring.score(pairs, Map.of("model", "m", "beta", 0)))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith("beta must be a number above 0 but was 0");
    assertThatThrownBy(() -> SparkScoring.score(pairs, Map.of("model", "m", "output", "o")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("must not be given");
    assertThatThrownBy(
            () ->
                SparkScoring.score(
                    pairs.withColumnRenamed("prompt", "Status"), Map.of("model", "m")))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "the column status must not be there before scoring, which adds it; drop or rename it");
  }

  @Test
  void aBadRowFailsTheJobWithItsReason() throws IOException {
    Path data =
        Files.writeString(
            folder.resolve("rows.jsonl"),
            """
            {"prompt": "The sky is", "chosen": " blue.", "rejected": " green."}
            {"prompt": "The sky is", "chosen": " blue."}
            """);

    assertThatThrownBy(
            () ->
                SparkScoring.score(
                        spark.read().json(data.toString()).coalesce(1),
                        Map.of("model", SparkFixture.MODEL))
                    .collectAsList())
        .hasMessageContaining("[partition 0 row 2] missing field \"rejected\"");
  }
}
