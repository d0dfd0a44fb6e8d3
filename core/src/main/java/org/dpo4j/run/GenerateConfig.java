package org.dpo4j.run;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.UsageException;

/** What {@code generate} needs: a model, one prompt or a file of them, and how to sample. */
public record GenerateConfig(
    @Option(
            help = "checkpoint folder that writes, Hugging Face layout",
            aliases = "model_name_or_path")
        Path model,
    @Option(help = "the text to answer") Optional<String> prompt,
    @Option(help = "file of prompts: one on each line, or rows with a column prompt")
        Optional<Path> promptsFile,
    @Option(help = "folder of a LoRA adapter for the model") Optional<Path> adapter,
    @Option(value = "128", help = "most ids to write for one prompt") int maxNewTokens,
    @Option(value = "0", help = "0: always the likeliest id; 1: the model's own chances")
        double temperature,
    @Option(value = "1", help = "draw from the likeliest ids that hold this share") double topP,
    @Option(value = "0", help = "decides what is drawn") long seed,
    @Option(value = "false", help = "give the prompt as it is, without the chat template")
        boolean raw,
    @Option(value = "cpu", help = "where to compute") Device device,
    @Option(value = "0", help = "threads of the engine; 0: one for each core") int threads) {

  /** The table of all options of {@code generate}. */
  public static final OptionTable<GenerateConfig> OPTIONS = OptionTable.of(GenerateConfig.class);

  public GenerateConfig {
    if (prompt.isPresent() == promptsFile.isPresent()) {
      throw new UsageException(
          prompt.isPresent()
              ? "--prompt and --prompts_file exclude each other; pass one of them"
              : "a prompt is missing; pass --prompt TEXT or --prompts_file FILE");
    }
    Rule.atLeast("max_new_tokens", maxNewTokens, 1, "128 is usual");
    Rule.notNegative("temperature", temperature, "0 always takes the likeliest id");
    Rule.require(topP > 0 && topP <= 1, "top_p", "above 0 and at most 1", topP, "1 turns it off");
    Rule.threads(threads);
  }

  /** Checks that what the options name is there; throws UsageException naming the option. */
  public void checkInputs() {
    InputPaths.requireModel("model", model);
    adapter.ifPresent(InputPaths::requireAdapter);
    promptsFile.ifPresent(path -> InputPaths.requireFile("prompts_file", path));
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static GenerateConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
