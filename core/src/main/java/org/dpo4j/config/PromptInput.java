package org.dpo4j.config;

import java.nio.file.Path;
import java.util.Optional;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.options.Option;
import org.dpo4j.options.ReadableFile;

/** What models answer: one prompt, or those of a file. */
public record PromptInput(
    @Option(help = "prompt text") Optional<String> prompt,
    @Option(help = "prompts: one per line, or rows with a column prompt; - is stdin", stream = true)
        Optional<Path> promptsFile) {

  public PromptInput {
    if (prompt.isPresent() == promptsFile.isPresent()) {
      throw new UsageException(
          prompt.isPresent()
              ? OptionText.of("{prompt} and {prompts_file} exclude each other; pass one of them")
              : OptionText.of("a prompt is missing; pass {prompt} TEXT or {prompts_file} FILE"));
    }
  }

  /** Whether the prompts come from the standard input. */
  public boolean readsStandardInput() {
    return promptsFile.map(Path::toString).filter("-"::equals).isPresent();
  }

  /** The file of prompts, if there is one on the disk. */
  public Optional<Path> file() {
    return promptsFile.filter(path -> !readsStandardInput());
  }

  /** Checks that the file exists; throws UsageException if it does not. */
  void checkInputs() {
    file().ifPresent(path -> ReadableFile.require("prompts_file", path));
  }
}
