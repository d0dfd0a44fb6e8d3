package org.dpo4j.run;

import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;
import org.dpo4j.DpoException;
import org.dpo4j.data.SampledPrompt;
import org.dpo4j.data.SampledReader;
import org.dpo4j.report.Progress;

/** Goes through a file of sampled completions. */
final class SampledFile {
  private SampledFile() {}

  /**
   * Passes on each prompt, in the order of the file.
   *
   * @param what is done, for the progress
   * @throws DpoException if the file cannot be read or holds no prompt
   */
  static void forEach(Path file, String what, Progress progress, Consumer<SampledPrompt> consumer) {
    int prompts = 0;
    try (SampledReader reader = SampledReader.open(file)) {
      for (Optional<SampledPrompt> prompt = reader.next();
          prompt.isPresent();
          prompt = reader.next()) {
        consumer.accept(prompt.get());
        prompts++;
        progress.update(what, prompts, 0, "");
      }
    }
    if (prompts == 0) {
      throw new DpoException(
          "[%s] must hold at least one prompt but holds none; sample writes such files"
              .formatted(file));
    }
  }
}
