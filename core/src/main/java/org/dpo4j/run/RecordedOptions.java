package org.dpo4j.run;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.options.YamlOptions;
import org.dpo4j.report.RunOutput;

/** The options of a finished run, which stand in its folder. */
final class RecordedOptions {

  private RecordedOptions() {}

  /**
   * The options of a run of this program; empty for folders of other programs.
   *
   * @param output receives a warning if they cannot be read
   */
  static Optional<TrainingConfig> of(Path folder, RunOutput output) {
    Path yaml = folder.resolve(RunRecords.OPTIONS);
    if (!Files.isRegularFile(yaml)) {
      return Optional.empty();
    }
    try {
      return Optional.of(TrainingConfig.OPTIONS.read(YamlOptions.read(yaml)));
    } catch (DpoException e) {
      output.warn("[%s] is not used: %s".formatted(yaml, e.text()));
      return Optional.empty();
    }
  }
}
