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

/** The configuration of {@code compare}: models, and prompts that all of them answer. */
public record CompareConfig(
    @Option(
            help = "models or adapters; one is compared with its reference",
            aliases = "model_name_or_path")
        List<Path> model,
    PromptInput input,
    @Option(help = "reference of a single model (default: what it was trained from)")
        Optional<Path> refModel,
    @Option(help = "model of the adapters (default: the one that each names)")
        Optional<Path> baseModel,
    Templating template,
    @Option(help = "file for one JSON line per prompt; - is stdout", stream = true)
        Optional<Path> output,
    @Option(value = "128", help = "max tokens to generate per prompt") int maxNewTokens,
    @Option(value = "0", help = "0 = greedy, 1 = the unmodified distribution") double temperature,
    TokenFilters filters,
    @Option(value = "0", help = "random seed, the same for every model") long seed,
    @Option(value = "false", help = "use the prompt as is, without the chat template") boolean raw,
    @Option(value = "cpu", help = Devices.HELP) DeviceName device,
    @Option(value = "0", help = "CPU threads; 0 uses all cores") int threads) {

  /** The table of all options of {@code compare}. */
  public static final OptionTable<CompareConfig> OPTIONS = OptionTable.of(CompareConfig.class);

  public CompareConfig {
    model = List.copyOf(model);
    if (refModel.isPresent() && model.size() > 1) {
      throw new UsageException(
          "ref_model",
          "is for a single model",
          "%d are given".formatted(model.size()),
          OptionText.of("pass it as the first {model}"));
    }
    OptionChecks.sampling(maxNewTokens, temperature);
    OptionChecks.threads(threads);
  }

  /** Draws tokens as configured. */
  public TokenSampler tokens() {
    return filters.tokens(temperature);
  }

  /** Checks that all input files and folders exist; throws UsageException naming the option. */
  public void checkInputs() {
    InputPaths.requireModels(model, refModel, baseModel);
    template.checkInputs();
    template.requireUsed(raw);
    input.checkInputs();
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static CompareConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
