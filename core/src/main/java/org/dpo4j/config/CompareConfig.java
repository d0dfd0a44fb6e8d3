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

/** The configuration of {@code compare}: models, and prompts that all of them answer. */
public record CompareConfig(
    @Option(
            help = "models or adapters; one is compared with its reference",
            aliases = "model_name_or_path")
        List<Path> model,
    @Option(help = "prompt text") Optional<String> prompt,
    @Option(help = "prompts: one per line, or rows with a column prompt")
        Optional<Path> promptsFile,
    @Option(help = "reference of a single model (default: what it was trained from)")
        Optional<Path> refModel,
    @Option(help = "model of the adapters (default: the one that each names)")
        Optional<Path> baseModel,
    Templating template,
    @Option(help = "file for one JSON line per prompt; - is stdout", stream = true)
        Optional<Path> output,
    @Option(value = "128", help = "max tokens to generate per prompt") int maxNewTokens,
    @Option(value = "0", help = "0 = greedy, 1 = the unmodified distribution") double temperature,
    @Option(value = "1", help = "nucleus sampling: keep the top tokens of this probability")
        double topP,
    @Option(value = "0", help = "random seed, the same for every model") long seed,
    @Option(value = "false", help = "use the prompt as is, without the chat template") boolean raw,
    @Option(value = "cpu", help = Devices.HELP) DeviceName device,
    @Option(value = "0", help = "CPU threads; 0 uses all cores") int threads) {

  /** The table of all options of {@code compare}. */
  public static final OptionTable<CompareConfig> OPTIONS = OptionTable.of(CompareConfig.class);

  public CompareConfig {
    model = List.copyOf(model);
    if (prompt.isPresent() == promptsFile.isPresent()) {
      throw new UsageException(
          prompt.isPresent()
              ? OptionText.of("{prompt} and {prompts_file} exclude each other; pass one of them")
              : OptionText.of("a prompt is missing; pass {prompt} TEXT or {prompts_file} FILE"));
    }
    if (refModel.isPresent() && model.size() > 1) {
      throw new UsageException(
          "ref_model",
          "is for a single model",
          "%d are given".formatted(model.size()),
          OptionText.of("pass it as the first {model}"));
    }
    OptionChecks.sampling(maxNewTokens, temperature, topP);
    OptionChecks.threads(threads);
  }

  /** Draws tokens as configured. */
  public TokenSampler tokens() {
    return new TokenSampler(temperature, topP, 0);
  }

  /** Checks that all input files and folders exist; throws UsageException naming the option. */
  public void checkInputs() {
    InputPaths.requireModels(model, refModel, baseModel);
    template.checkInputs();
    template.requireUsed(raw);
    promptsFile.ifPresent(path -> ReadableFile.require("prompts_file", path));
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static CompareConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
