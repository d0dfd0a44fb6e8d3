package org.dpo4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.dpo4j.run.DemoConfig;
import org.dpo4j.run.GenerateConfig;
import org.dpo4j.run.InspectConfig;
import org.dpo4j.run.MergeConfig;
import org.dpo4j.run.PlanConfig;
import org.dpo4j.run.ScoreConfig;
import org.dpo4j.run.TrainingOptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Closes the gap of a stopped run that ends in silence, with a stack trace or with exit code 0. */
@DisabledOnOs(OS.WINDOWS)
class InterruptionTest {

  @Test
  void ctrlCEndsWith130AndSaysThatNothingWasWritten(@TempDir Path folder)
      throws IOException, InterruptedException {
    Files.createDirectory(folder.resolve("model"));
    Files.writeString(folder.resolve("model/config.json"), "{}");
    Files.writeString(folder.resolve("pairs.jsonl"), "");
    Path err = folder.resolve("err");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Endless.class.getName(),
                folder.toString())
            .redirectError(err.toFile())
            .start();
    try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
      assertThat(out.readLine()).isEqualTo("training");
      List<String> interrupt = List.of("kill", "-INT", Long.toString(process.pid()));
      assertThat(new ProcessBuilder(interrupt).start().waitFor()).isZero();
      assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
    } finally {
      process.destroyForcibly();
    }
    assertThat(process.exitValue()).isEqualTo(130);
    assertThat(Files.readString(err))
        .isEqualToNormalizingNewlines(
            "interrupted; nothing was written unless this run said so: %s\n"
                .formatted(folder.resolve("out")));
  }

  /** The command line over a training run that never ends. */
  static final class Endless implements Runs {

    public static void main(String[] args) {
      Path folder = Path.of(args[0]);
      System.exit(
          new Main(new Endless(), Console.system())
              .run(
                  "train",
                  "--model=" + folder.resolve("model"),
                  "--data_file=" + folder.resolve("pairs.jsonl"),
                  "--output_dir=" + folder.resolve("out")));
    }

    @Override
    public void train(TrainingOptions options, Console console) {
      console.out().println("training");
      try {
        TimeUnit.HOURS.sleep(1);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    @Override
    public void plan(PlanConfig config, Console console) {}

    @Override
    public void score(ScoreConfig config, Console console) {}

    @Override
    public void inspect(InspectConfig config, Console console) {}

    @Override
    public void merge(MergeConfig config, Console console) {}

    @Override
    public void generate(GenerateConfig config, Console console) {}

    @Override
    public void demo(DemoConfig config, Console console) {}
  }
}
