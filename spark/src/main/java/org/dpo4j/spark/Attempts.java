package org.dpo4j.spark;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingStart;

/**
 * The attempts of a job on one output folder. A repeated attempt continues only what an earlier one
 * of the same job has begun: a folder with another run stays refused.
 */
final class Attempts {

  private static final String RESUME = "resume_from_checkpoint";
  private static final String OVERWRITE = "overwrite_output_dir";

  private final Path output;
  private final Path begun;

  /**
   * The attempts of a job.
   *
   * @param job identifies it
   */
  Attempts(String job, Path output) {
    this.output = output;
    this.begun = output.resolveSibling("." + output.getFileName() + ".job-" + job);
  }

  /** Changes the options of a repeated attempt so that it continues the earlier one. */
  void prepare(Map<String, Object> options) {
    if (!Files.exists(begun)) {
      return;
    }
    if (hasCheckpoint() || !options.containsKey(RESUME)) {
      options.put(RESUME, "true");
    }
    options.put(OVERWRITE, false);
  }

  private boolean hasCheckpoint() {
    if (!Files.isDirectory(output)) {
      return false;
    }
    try (Stream<Path> files = Files.list(output)) {
      return files.anyMatch(Attempts::isCheckpoint);
    } catch (IOException e) {
      throw new DpoException("[%s] could not be read: %s".formatted(output, e.getMessage()), e);
    }
  }

  private static boolean isCheckpoint(Path file) {
    return String.valueOf(file.getFileName()).startsWith("checkpoint-");
  }

  /** Notes that the output folder was accepted. */
  TrainingListener listener() {
    return new TrainingListener() {
      @Override
      public void onStart(TrainingStart start) {
        try {
          if (!Files.exists(begun)) {
            Files.createFile(begun);
          }
        } catch (IOException e) {
          throw new DpoException("[%s] could not be written: %s".formatted(begun, e), e);
        }
      }
    };
  }

  /** Forgets the attempts. */
  void done() {
    try {
      Files.deleteIfExists(begun);
    } catch (IOException e) {
      // A file that is left does no harm: another job has another name.
    }
  }
}
