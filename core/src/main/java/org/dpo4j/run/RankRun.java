package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.dpo4j.ListenerException;
import org.dpo4j.OptionText;
import org.dpo4j.TrainingResult;
import org.dpo4j.UsageException;
import org.dpo4j.checkpoint.FileTrees;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.FileFailure;
import org.dpo4j.ranks.RankAddress;
import org.dpo4j.ranks.Ranks;
import org.dpo4j.report.Progress;
import org.dpo4j.report.RunOutput;

/**
 * A training run of one or of several processes. All do the same run; rank 0 writes its files and
 * prints. The others are silent, and have an output folder of their own for temporary files, which
 * is deleted at the end.
 */
final class RankRun {

  /** A run of one rank. */
  interface Body {
    TrainingResult run(TrainingConfig config, RunOutput output, Ranks ranks);
  }

  private final TrainingConfig config;
  private final Optional<RankAddress> address;
  private final RunOutput output;

  private RankRun(TrainingConfig config, Optional<RankAddress> address, RunOutput output) {
    this.config = config;
    this.address = address;
    this.output = output;
  }

  /**
   * A run of the rank that the environment gives.
   *
   * @throws UsageException if variables are missing or options do not fit several ranks
   */
  static RankRun of(TrainingConfig config, Map<String, String> environment, RunOutput output) {
    Optional<RankAddress> address = RankAddress.of(environment);
    if (address.isPresent()) {
      String found = OptionText.of("WORLD_SIZE is %d in the environment", address.get().size());
      if (!config.engine().computeDevice().isCpu()) {
        throw new UsageException(
            "device", "is cpu for a run of several processes", found, "leave it out");
      }
      if (config.batching().autoFindBatchSize()) {
        throw new UsageException(
            "auto_find_batch_size",
            "is for a run of one process",
            found,
            OptionText.of("set {per_device_train_batch_size} yourself"));
      }
    }
    return new RankRun(config, address, output);
  }

  /**
   * Refuses a command that is not for several processes.
   *
   * @throws UsageException if the environment makes this process one of several
   */
  static void requireOne(String command) {
    RankAddress.of(System.getenv())
        .ifPresent(
            address -> {
              throw new UsageException(
                  "%s is for one process but WORLD_SIZE is %d in the environment; unset it"
                      .formatted(command, address.size()));
            });
  }

  TrainingResult run(Body body) {
    if (address.isEmpty()) {
      return body.run(config, output, Ranks.alone());
    }
    try (Ranks ranks = Ranks.of(address, Duration.ofSeconds(config.engine().ddpTimeout()))) {
      output.note(
          "%s is connected to the others at %s port %d%s"
              .formatted(
                  address.get(),
                  address.get().host(),
                  address.get().port(),
                  ranks.first() ? "" : "; rank 0 reports and writes"));
      try {
        TrainingResult result =
            ranks.first() ? body.run(config, output, ranks) : runSilently(body, ranks);
        ranks.sum(0); // waits until rank 0 has written its files
        return result;
      } catch (ListenerException e) {
        ranks.sum(0); // the run has ended as it should, and its files are written
        throw e;
      }
    }
  }

  private TrainingResult runSilently(Body body, Ranks ranks) {
    Path folder = null;
    try {
      folder = Files.createTempDirectory("dpo4j-rank-");
      TrainingConfig own =
          TrainingConfig.OPTIONS
              .without(config, "resume_from_checkpoint")
              .with("output_dir", folder.resolve("out"))
              .with("ledger", false)
              .with("report_to", "none")
              .with("sample_prompts", 0)
              .with("ui", false);
      return body.run(own, RunOutput.silent(Progress.NONE), ranks);
    } catch (IOException e) {
      throw new DpoException(
          "%s needs a temporary folder: %s".formatted(address.get(), FileFailure.reason(e)), e);
    } finally {
      if (folder != null) {
        delete(folder);
      }
    }
  }

  private void delete(Path folder) {
    try {
      FileTrees.delete(folder);
    } catch (IOException e) {
      output.warn("the temporary folder %s is left: %s".formatted(folder, FileFailure.reason(e)));
    }
  }
}
