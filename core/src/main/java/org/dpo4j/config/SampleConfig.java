package org.dpo4j.config;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.OptionText;
import org.dpo4j.options.DeviceName;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;
import org.dpo4j.options.ReadableFile;

/** The configuration of {@code sample}: a model, a file of prompts, sampling, an output file. */
public record SampleConfig(
    @Option(help = "folder of the model, in Hugging Face format", aliases = "model_name_or_path")
        Path model,
    @Option(help = "folder of a LoRA adapter to load on the model") Optional<Path> adapter,
    @Option(help = "prompts: one per line, or rows with a column prompt", aliases = "prompts")
        Path promptsFile,
    @Option(help = "completions, one JSON line per prompt; - is stdout", stream = true) Path output,
    Templating template,
    Sampling sampling,
    @Option(value = "0", help = "random seed") long seed,
    @Option(value = "false", help = "continue the output of an interrupted run") boolean resume,
    @Option(value = "cpu", help = Devices.HELP) DeviceName device,
    @Option(value = "0", help = "CPU threads; 0 uses all cores") int threads) {

  /** The table of all options of {@code sample}. */
  public static final OptionTable<SampleConfig> OPTIONS = OptionTable.of(SampleConfig.class);

  public SampleConfig {
    OptionChecks.require(
        !resume || !output.toString().equals("-"),
        "resume",
        OptionText.of("false with {output} -"),
        resume,
        "name a file");
    OptionChecks.threads(threads);
  }

  /** Checks that all input files and folders exist; throws UsageException naming the option. */
  public void checkInputs() {
    InputPaths.requireModel("model", model);
    template.checkInputs();
    template.requireUsed(sampling.raw());
    adapter.ifPresent(InputPaths::requireAdapter);
    ReadableFile.require("prompts_file", promptsFile);
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static SampleConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
