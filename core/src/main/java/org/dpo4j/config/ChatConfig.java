package org.dpo4j.config;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.generate.TokenSampler;
import org.dpo4j.options.DeviceName;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;

/** The configuration of {@code chat}: one model or two, and sampling. */
public record ChatConfig(
    @Option(help = "folder of the model, in Hugging Face format", aliases = "model_name_or_path")
        Path model,
    @Option(help = "folder of a LoRA adapter to load on the model") Optional<Path> adapter,
    @Option(help = "another model, or an adapter on the same, that answers first")
        Optional<Path> compareWith,
    @Option(help = "system prompt: instructions for the whole conversation")
        Optional<String> system,
    Templating template,
    @Option(value = "512", help = "max tokens of an answer") int maxNewTokens,
    @Option(value = "0.7", help = "0 = greedy, 1 = the unmodified distribution") double temperature,
    TokenFilters filters,
    @Option(value = "0", help = "random seed of each answer") long seed,
    @Option(value = "cpu", help = Devices.HELP) DeviceName device,
    @Option(value = "0", help = "CPU threads; 0 uses all cores") int threads) {

  /** The table of all options of {@code chat}. */
  public static final OptionTable<ChatConfig> OPTIONS = OptionTable.of(ChatConfig.class);

  public ChatConfig {
    OptionChecks.sampling(maxNewTokens, temperature);
    OptionChecks.threads(threads);
  }

  /** Whether the other model is an adapter on the same one. */
  public boolean comparesAdapters() {
    return compareWith.filter(InputPaths::isAdapter).isPresent();
  }

  /** Draws tokens as configured. */
  public TokenSampler tokens() {
    return filters.tokens(temperature);
  }

  /** Checks that all input files and folders exist; throws UsageException naming the option. */
  public void checkInputs() {
    InputPaths.requireModel("model", model);
    template.checkInputs();
    adapter.ifPresent(InputPaths::requireAdapter);
    if (!comparesAdapters()) {
      compareWith.ifPresent(folder -> InputPaths.requireModel("compare_with", folder));
    }
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static ChatConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
