package org.dpo4j.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Runs what docs/how-to/use-a-spark-cluster.md passes to spark-submit, on the cluster it names. */
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class HowToTest {

  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();

  private static SparkSession spark;

  private final Path folder;

  HowToTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @BeforeAll
  static void start() throws IOException {
    Files.createDirectories(Path.of(System.getenv("SPARK_HOME")));
    spark = SparkFixture.session(one(page(), "--master \"(local-cluster\\S+)\""));
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  private static String page() throws IOException {
    return Files.readString(ROOT.resolve("docs/how-to/use-a-spark-cluster.md"))
        .replaceAll("\\\\\\R *", "");
  }

  private static String one(String page, String expression) {
    Matcher found = Pattern.compile(expression).matcher(page);
    assertThat(found.find()).as(expression).isTrue();
    return found.group(1);
  }

  @Test
  void theCommandsOfTheSmallClusterWork() throws IOException {
    String trained = run(one(page(), "\\.jar (train --ranks 2 --model.*)"));
    assertThat(trained).contains(one(page(), "it ends with `([^`]*), written to"));
    assertThat(folder.resolve("runs/spark/model.safetensors")).isRegularFile();

    assertThat(run(one(page(), "(?m)^ *(eval --model.*)$")))
        .contains("accuracy by reward margin", "12 of 12 pairs kept");
    assertThat(run(one(page(), "(?m)^ *(score --model.*)$"))).contains("12 kept");
  }

  private String run(String command) {
    String[] words =
        command
            .replace("$PWD/runs", folder.resolve("runs").toString())
            .replace("$PWD", ROOT.toString())
            .strip()
            .split(" +");
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int code =
        Main.run(
            spark,
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            words);
    assertThat(code).as(List.of(words) + ": " + err).isZero();
    return out.toString(StandardCharsets.UTF_8);
  }
}
