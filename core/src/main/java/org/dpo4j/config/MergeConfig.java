package org.dpo4j.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.dpo4j.UsageException;
import org.dpo4j.options.DeviceName;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;

/** The configuration of {@code merge}: a model, its adapter and a folder for the merged model. */
public record MergeConfig(
    @Option(
            help = "folder of the base model, in Hugging Face format",
            aliases = "model_name_or_path")
        Path model,
    @Option(help = "folder of the LoRA adapter") Path adapter,
    @Option(help = "folder for the merged model; must be new or empty") Path outputDir,
    @Option(value = "auto", help = "type of the saved weights") SaveDtype saveDtype,
    @Option(value = "false", help = "reload the result and compare its logits") boolean verify,
    @Option(value = "cpu", help = Devices.HELP) DeviceName device,
    @Option(value = "0", help = "CPU threads; 0 uses all cores") int threads) {

  /** The table of all options of {@code merge}. */
  public static final OptionTable<MergeConfig> OPTIONS = OptionTable.of(MergeConfig.class);

  public MergeConfig {
    OptionChecks.threads(threads);
  }

  /** Checks that all input files and folders exist; throws UsageException naming the option. */
  public void checkInputs() {
    InputPaths.requireModel("model", model);
    InputPaths.requireAdapter(adapter);
    if (Files.isDirectory(outputDir) && !empty(outputDir)) {
      throw new UsageException(
          "output_dir",
          "must be new or empty",
          "%s holds files".formatted(outputDir),
          "name another folder");
    }
  }

  private static boolean empty(Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      return files.findAny().isEmpty();
    } catch (IOException e) {
      return true; // reported when the folder is written
    }
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static MergeConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
