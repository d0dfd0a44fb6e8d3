package org.dpo4j.config;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.OptionText;
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
    @Option(value = "4", help = "completions of each prompt") int numReturnSequences,
    @Option(value = "256", help = "max tokens of a completion") int maxNewTokens,
    @Option(value = "1", help = "0 = greedy, 1 = the unmodified distribution") double temperature,
    @Option(value = "1", help = "nucleus sampling: keep the top tokens of this probability")
        double topP,
    @Option(value = "0", help = "keep this number of top tokens; 0 keeps all") int topK,
    @Option(value = "0", help = "random seed") long seed,
    @Option(value = "32", help = "completions generated at a time; only speed depends on it")
        int generationBatchSize,
    @Option(value = "false", help = "use the prompts as they are, without the chat template")
        boolean raw,
    @Option(value = "false", help = "continue the output of an interrupted run") boolean resume,
    @Option(value = "cpu", help = "device to run on") Device device,
    @Option(value = "0", help = "CPU threads; 0 uses all cores") int threads) {

  /** The table of all options of {@code sample}. */
  public static final OptionTable<SampleConfig> OPTIONS = OptionTable.of(SampleConfig.class);

  public SampleConfig {
    OptionChecks.atLeast("num_return_sequences", numReturnSequences, 1, "4 is usual");
    OptionChecks.require(
        temperature > 0 || numReturnSequences == 1,
        "num_return_sequences",
        "1 with temperature 0, which gives equal completions,",
        numReturnSequences,
        "raise the temperature");
    OptionChecks.sampling(maxNewTokens, temperature, topP);
    OptionChecks.atLeast("top_k", topK, 0, "0 keeps all tokens");
    OptionChecks.require(
        !resume || !output.toString().equals("-"),
        "resume",
        OptionText.of("false with {output} -"),
        resume,
        "name a file");
    OptionChecks.atLeast("generation_batch_size", generationBatchSize, 1, "32 is usual");
    OptionChecks.threads(threads);
  }

  /** Checks that all input files and folders exist; throws UsageException naming the option. */
  public void checkInputs() {
    InputPaths.requireModel("model", model);
    adapter.ifPresent(InputPaths::requireAdapter);
    ReadableFile.require("prompts_file", promptsFile);
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static SampleConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
