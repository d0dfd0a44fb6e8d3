package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.torch.TensorScope;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes: a run that loses memory, files or threads bit by bit, and ends hours later. Whole runs
 * with evaluations and checkpoints; {@code -Ddpo4j.soak.steps=5000} makes them long, and prints the
 * figures.
 */
@EnabledOnOs(OS.LINUX)
class SoakTest {

  private static final int STEPS = Integer.getInteger("dpo4j.soak.steps", 300);
  private static final boolean LONG = STEPS > 1000;
  private static final int STRIDE = LONG ? 100 : 20;

  /**
   * Free memory of the allocators differs by 40 MB between samples, the least of many by 5 MB. A
   * leak of one small tensor a step, 4 kB, is 20 MB over 5,000 steps.
   */
  private static final long ALLOWED_GROWTH = 16L << 20;

  private final Path folder;

  SoakTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /**
   * What a process holds.
   *
   * @param jvm committed bytes of compiled code and classes, which grow while methods become
   *     frequent
   */
  private record Sample(int step, long handles, long resident, long jvm, long files, long threads) {

    static Sample at(int step) {
      long handles = TensorScope.liveHandles(); // before a collection could hide any
      System.gc(); // the Java heap reuses its pages, so that growth would be native
      return new Sample(
          step,
          handles,
          TensorScope.residentBytes(),
          ManagementFactory.getMemoryMXBean().getNonHeapMemoryUsage().getCommitted(),
          openFiles(),
          ManagementFactory.getThreadMXBean().getThreadCount());
    }

    long unexplained() {
      return resident - jvm;
    }

    /** Without jars: the class loader opens each when it first searches it for a class. */
    private static long openFiles() {
      try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
        return files.filter(file -> !target(file).endsWith(".jar")).count();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    private static String target(Path file) {
      try {
        return Files.readSymbolicLink(file).toString();
      } catch (IOException e) {
        return ""; // closed since it was listed, as the folder of the list itself
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void memoryFilesHandlesAndThreadsStayFlat(boolean adapter) {
    List<Sample> samples = new ArrayList<>();
    Map<String, Object> options = new HashMap<>();
    options.put("model", fixture("models/llama"));
    options.put("data_file", fixture("pairs32.jsonl"));
    options.put("output_dir", folder.resolve("out"));
    options.put("eval_split", 4);
    options.put("eval_strategy", "steps");
    options.put("eval_steps", STRIDE);
    options.put("save_strategy", "steps");
    options.put("save_steps", STRIDE);
    options.put("save_total_limit", 2);
    options.put("use_peft", adapter);
    options.put("disable_dropout", !adapter);
    options.put("max_length", 48);
    options.put("per_device_train_batch_size", 2);
    options.put("max_steps", STEPS);
    options.put("sample_prompts", 0);
    TrainingRun.run(
        TrainingConfig.of(options),
        output(new ByteArrayOutputStream()),
        new TrainingListener() {
          @Override
          public void onStep(StepReport step, TrainingControl control) {
            if (step.step() % STRIDE == STRIDE / 2) {
              samples.add(Sample.at(step.step()));
            }
          }
        });

    if (LONG) {
      samples.forEach(System.out::println);
    }
    // The first third warms up: buffers grow to the longest batch, and code is compiled.
    List<Sample> warm = samples.subList(samples.size() / 3, samples.size());
    assertThat(most(warm, Sample::handles)).isLessThanOrEqualTo(warm.get(0).handles());
    assertThat(growth(samples, Sample::files)).as("growth of files: %s", warm).isNotPositive();
    assertThat(growth(samples, Sample::threads)).as("growth of threads: %s", warm).isNotPositive();
    assertThat(growth(samples, Sample::unexplained))
        .as("growth of resident memory without code and classes: %s", warm)
        .isLessThan(ALLOWED_GROWTH);
  }

  /**
   * Growth from the middle third to the last, of the least of each: free memory of the allocators,
   * a file just read and a pool's thread come and go, a leak stays.
   */
  private static long growth(List<Sample> samples, ToLongFunction<Sample> figure) {
    int last = samples.size() * 2 / 3;
    return least(samples.subList(last, samples.size()), figure)
        - least(samples.subList(samples.size() / 3, last), figure);
  }

  private static long least(List<Sample> samples, ToLongFunction<Sample> figure) {
    return samples.stream().mapToLong(figure).min().orElseThrow();
  }

  private static long most(List<Sample> samples, ToLongFunction<Sample> figure) {
    return samples.stream().mapToLong(figure).max().orElseThrow();
  }
}
