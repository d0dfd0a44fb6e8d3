package org.dpo4j.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: a command of spark-submit that reads options or files unlike the command line. */
class MainTest {

  private static SparkSession spark;

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  MainTest(@TempDir Path folder) {
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

  private int run(String... words) {
    return Main.run(
        spark,
        new PrintStream(out, true, StandardCharsets.UTF_8),
        new PrintStream(err, true, StandardCharsets.UTF_8),
        words);
  }

  private String errors() {
    return err.toString(StandardCharsets.UTF_8);
  }

  @Test
  void scoreWritesARowForEachRowOfAllFormats() throws IOException {
    Path csv =
        Files.writeString(
            folder.resolve("pairs.csv"),
            "prompt,chosen,rejected\nThe sky is, blue.,\" green,\nor \"\"red\"\".\"\n");
    Path json =
        Files.writeString(
            folder.resolve("pairs.json"),
            "[{\"prompt\": \"The sky is\",\n \"chosen\": \" blue.\", \"rejected\": \" green,\\nor \\\"red\\\".\"}]");
    Path parquet = folder.resolve("pairs.parquet");
    spark
        .read()
        .option("multiLine", true)
        .json(json.toString())
        .write()
        .parquet(parquet.toString());
    List<Map<String, Object>> expected =
        SparkFixture.scoredByOneMachine(
            json, folder, Map.of("model", SparkFixture.MODEL, "ref_model", SparkFixture.MODEL));
    for (Path data : List.of(csv, json, parquet)) {
      Path target = folder.resolve(data.getFileName() + ".scores.parquet");

      int code =
          run(
              "score",
              "--model",
              SparkFixture.MODEL.toString(),
              "--ref-model=" + SparkFixture.MODEL,
              "--data_file",
              data.toString(),
              "--output",
              target.toString());

      assertThat(code).as(errors()).isZero();
      Row row = spark.read().parquet(target.toString()).first();
      for (String column : List.of("chosen_logps", "rejected_logps", "rewards/margins")) {
        assertThat(row.<Object>getAs(column))
            .as(data + column)
            .isEqualTo(expected.get(0).get(column));
      }
    }
    assertThat(out.toString(StandardCharsets.UTF_8)).contains("1 kept\nwritten to ");
  }

  /** Of the exception of a barrier task, Spark gives the text alone. */
  @Test
  void aBadRowOfTrainIsToldInItsOwnWords() throws IOException {
    Path data = Files.writeString(folder.resolve("bad.jsonl"), "{\"prompt\": 3}\n");

    int code =
        run(
            "train",
            "--ranks",
            "1",
            "--model",
            SparkFixture.MODEL.toString(),
            "--data_file",
            data.toString(),
            "--output_dir",
            folder.resolve("out").toString());

    assertThat(code).isEqualTo(1);
    assertThat(errors())
        .startsWith("error: [" + data + ":1]")
        .doesNotContain("internal", "\tat ", "\\n", "SparkException");
    try (Stream<Path> left = Files.list(folder)) {
      assertThat(left).allMatch(path -> path.endsWith("bad.jsonl") || path.endsWith("out"));
    }
  }

  @Test
  void helpNamesTheCommandWhoseOptionsTheyAre() {
    assertThat(run("score", "--help")).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8)).contains("./dpo4j score --help");
  }

  @Test
  void evalPrintsAndWritesTheFiguresOfPairs() throws IOException {
    Path figures = folder.resolve("eval.json");

    int code =
        run(
            "eval",
            "--model",
            SparkFixture.MODEL.toString(),
            "--ref_model",
            SparkFixture.MODEL.toString(),
            "--data_file",
            SparkFixture.PAIRS.toString(),
            "--output",
            figures.toString());

    assertThat(errors()).isEmpty();
    assertThat(code).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8))
        .contains("dataset: 64 of 64 pairs kept", "accuracy by reward margin", figures.toString());
    assertThat(Files.readString(figures)).contains("\"rewards/accuracies\"");
  }

  @Test
  void referenceReadsTheSameYamlAsTrain() throws IOException {
    Path yaml =
        Files.writeString(
            folder.resolve("run.yaml"),
            "model: %s\ndata_file: [%s, %s]\noutput_dir: %s\n"
                .formatted(
                    SparkFixture.MODEL,
                    Files.copy(SparkFixture.PAIRS, folder.resolve("b.jsonl")),
                    SparkFixture.PAIRS,
                    folder.resolve("out")));

    int code = run("reference", "--config", yaml.toString(), "--threads", "1");

    assertThat(code).as(errors()).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8))
        .contains("reference cache: training pairs in ")
        .contains("reference_cache");
  }

  @Test
  void errorsHaveTheCodesAndWordsOfTheCommandLine() throws IOException {
    assertThat(run("tune")).isEqualTo(2);
    assertThat(run("score", "--model", "m")).isEqualTo(2);
    assertThat(errors()).contains("error: --data_file").contains("--output");
    assertThat(
            run(
                "score",
                "--model",
                "/not/there",
                "--data_file",
                SparkFixture.PAIRS.toString(),
                "--output",
                folder.resolve("x.parquet").toString()))
        .isEqualTo(2);
    assertThat(errors()).contains("error: --model must be a folder but was /not/there");
    assertThat(
            run(
                "score",
                "--model",
                SparkFixture.MODEL.toString(),
                "--data_file",
                "/no/such.jsonl",
                "--output",
                folder.resolve("y.parquet").toString()))
        .isEqualTo(2);
    Path bad =
        Files.writeString(folder.resolve("bad.jsonl"), "{\"prompt\": \"a\", \"chosen\": \"b\"}\n");
    assertThat(
            run(
                "score",
                "--model",
                SparkFixture.MODEL.toString(),
                "--data_file",
                bad.toString(),
                "--output",
                folder.resolve("z.parquet").toString()))
        .isEqualTo(1);
    assertThat(errors()).contains("error: [partition 0 row 1] missing field \"rejected\"");
    assertThat(
            run(
                "score",
                "--model",
                SparkFixture.MODEL.toString(),
                "--data_file",
                bad.toString(),
                "--output",
                bad.toString() + ".parquet",
                "--beta",
                "x"))
        .isEqualTo(2);
    assertThat(errors()).contains("--beta must be a number");
  }
}
