package org.dpo4j.config;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.generate.TokenSampler;
import org.dpo4j.options.DeviceName;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;
import org.dpo4j.options.ReadableFile;

/** The configuration of {@code generate}: a model, a prompt or a file of prompts, and sampling. */
public record GenerateConfig(
    @Option(help = "folder of the model, in Hugging Face format", aliases = "model_name_or_path")
        Path model,
    @Option(help = "prompt text") Optional<String> prompt,
    @Option(help = "prompts: one per line, or rows with a column prompt; - is stdin", stream = true)
        Optional<Path> promptsFile,
    @Option(help = "folder of a LoRA adapter to load on the model") Optional<Path> adapter,
    Templating template,
    @Option(value = "128", help = "max tokens to generate per prompt") int maxNewTokens,
    @Option(value = "0", help = "0 = greedy, 1 = the unmodified distribution") double temperature,
    @Option(value = "1", help = "nucleus sampling: keep the top tokens of this probability")
        double topP,
    @Option(value = "0", help = "keep this number of top tokens; 0 keeps all") int topK,
    @Option(value = "0", help = "keep tokens this times as probable as the top one; 0 keeps all")
        double minP,
    @Option(value = "1", help = "above 1 makes tokens of prompt and completion less probable")
        double repetitionPenalty,
    @Option(help = "texts that end a completion and are left out; [\"\\n\"] is a new line")
        Optional<List<String>> stop,
    @Option(value = "0", help = "random seed") long seed,
    @Option(value = "false", help = "use the prompt as is, without the chat template") boolean raw,
    @Option(value = "cpu", help = Devices.HELP) DeviceName device,
    @Option(value = "0", help = "CPU threads; 0 uses all cores") int threads) {

  /** The table of all options of {@code generate}. */
  public static final OptionTable<GenerateConfig> OPTIONS = OptionTable.of(GenerateConfig.class);

  public GenerateConfig {
    if (prompt.isPresent() == promptsFile.isPresent()) {
      throw new UsageException(
          prompt.isPresent()
              ? OptionText.of("{prompt} and {prompts_file} exclude each other; pass one of them")
              : OptionText.of("a prompt is missing; pass {prompt} TEXT or {prompts_file} FILE"));
    }
    OptionChecks.sampling(maxNewTokens, temperature, topP);
    OptionChecks.filters(topK, minP, repetitionPenalty);
    OptionChecks.require(
        stop.stream().flatMap(List::stream).noneMatch(String::isEmpty),
        "stop",
        "texts of at least one character",
        "empty",
        "leave it out");
    OptionChecks.threads(threads);
  }

  /** Draws tokens as configured. */
  public TokenSampler tokens() {
    return new TokenSampler(temperature, topP, topK, minP, repetitionPenalty);
  }

  /** Whether the prompts come from the standard input. */
  public boolean readsStandardInput() {
    return promptsFile.map(Path::toString).filter("-"::equals).isPresent();
  }

  /** Checks that all input files and folders exist; throws UsageException naming the option. */
  public void checkInputs() {
    InputPaths.requireModel("model", model);
    template.checkInputs();
    template.requireUsed(raw);
    adapter.ifPresent(InputPaths::requireAdapter);
    promptsFile
        .filter(path -> !readsStandardInput())
        .ifPresent(path -> ReadableFile.require("prompts_file", path));
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static GenerateConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
