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
    @Option(value = "1", help = "nucleus sampling: keep the top tokens of this probability")
        double topP,
    @Option(value = "0", help = "keep this number of top tokens; 0 keeps all") int topK,
    @Option(value = "0", help = "keep tokens this times as probable as the top one; 0 keeps all")
        double minP,
    @Option(value = "1", help = "above 1 makes tokens of prompt and completion less probable")
        double repetitionPenalty,
    @Option(value = "0", help = "random seed of each answer") long seed,
    @Option(value = "cpu", help = Devices.HELP) DeviceName device,
    @Option(value = "0", help = "CPU threads; 0 uses all cores") int threads) {

  /** The table of all options of {@code chat}. */
  public static final OptionTable<ChatConfig> OPTIONS = OptionTable.of(ChatConfig.class);

  public ChatConfig {
    OptionChecks.sampling(maxNewTokens, temperature, topP);
    OptionChecks.filters(topK, minP, repetitionPenalty);
    OptionChecks.threads(threads);
  }

  /** Whether the other model is an adapter on the same one. */
  public boolean comparesAdapters() {
    return compareWith.filter(InputPaths::isAdapter).isPresent();
  }

  /** Draws tokens as configured. */
  public TokenSampler tokens() {
    return new TokenSampler(temperature, topP, topK, minP, repetitionPenalty);
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
