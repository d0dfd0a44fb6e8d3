package org.dpo4j.config;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.generate.TokenSampler;
import org.dpo4j.options.DeviceName;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;

/** The configuration of {@code generate}: a model, a prompt or a file of prompts, and sampling. */
public record GenerateConfig(
    @Option(help = "folder of the model, in Hugging Face format", aliases = "model_name_or_path")
        Path model,
    PromptInput input,
    @Option(help = "folder of a LoRA adapter to load on the model") Optional<Path> adapter,
    Templating template,
    @Option(value = "128", help = "max tokens to generate per prompt") int maxNewTokens,
    @Option(value = "0", help = "0 = greedy, 1 = the unmodified distribution") double temperature,
    TokenFilters filters,
    @Option(help = "texts that end a completion and are left out; [\"\\n\"] is a new line")
        Optional<List<String>> stop,
    @Option(value = "0", help = "random seed") long seed,
    @Option(value = "false", help = "use the prompt as is, without the chat template") boolean raw,
    @Option(value = "cpu", help = Devices.HELP) DeviceName device,
    @Option(value = "0", help = "CPU threads; 0 uses all cores") int threads) {

  /** The table of all options of {@code generate}. */
  public static final OptionTable<GenerateConfig> OPTIONS = OptionTable.of(GenerateConfig.class);

  public GenerateConfig {
    OptionChecks.sampling(maxNewTokens, temperature);
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
    return filters.tokens(temperature);
  }

  /** Checks that all input files and folders exist; throws UsageException naming the option. */
  public void checkInputs() {
    InputPaths.requireModel("model", model);
    template.checkInputs();
    template.requireUsed(raw);
    adapter.ifPresent(InputPaths::requireAdapter);
    input.checkInputs();
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static GenerateConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
