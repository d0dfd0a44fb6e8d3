package org.dpo4j.config;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.options.DeviceName;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;
import org.dpo4j.options.ReadableFile;

/** The configuration of {@code serve}: a model, where to listen, and limits. */
public record ServeConfig(
    @Option(help = "folder of the model, in Hugging Face format", aliases = "model_name_or_path")
        Path model,
    @Option(help = "folder of a LoRA adapter to load on the model") Optional<Path> adapter,
    @Option(help = "name of the model in requests (default: that of the folder)")
        Optional<String> servedModelName,
    @Option(value = "127.0.0.1", help = "address to listen on; others than this need an API key")
        String host,
    @Option(value = "8080", help = "port to listen on; 0 takes any that is free") int port,
    @Option(help = "file with the API key (or environment: DPO4J_API_KEY)")
        Optional<Path> apiKeyFile,
    Templating template,
    @Option(value = "8", help = "answers generated at a time") int maxConcurrent,
    @Option(value = "64", help = "requests that wait; more are refused with 429") int queue,
    @Option(value = "0", help = "max tokens of prompt and answer; 0 is the model's context")
        int maxLength,
    @Option(value = "cpu", help = Devices.HELP) DeviceName device,
    @Option(value = "0", help = "CPU threads; 0 uses all cores") int threads) {

  private static final int LARGEST_PORT = 65_535;

  /** The table of all options of {@code serve}. */
  public static final OptionTable<ServeConfig> OPTIONS = OptionTable.of(ServeConfig.class);

  public ServeConfig {
    OptionChecks.require(
        !host.isBlank(), "host", "a name or address", "empty", "127.0.0.1 is usual");
    OptionChecks.require(
        port >= 0 && port <= LARGEST_PORT,
        "port",
        "a whole number from 0 to " + LARGEST_PORT,
        port,
        "8080 is usual");
    OptionChecks.atLeast("max_concurrent", maxConcurrent, 1, "8 is usual");
    OptionChecks.atLeast("queue", queue, 1, "64 is usual");
    OptionChecks.require(
        maxLength == 0 || maxLength > 1,
        "max_length",
        "0 or a whole number from 2",
        maxLength,
        "0 is the model's context");
    OptionChecks.threads(threads);
  }

  /** The name of the model in requests. */
  public String name() {
    return servedModelName.orElseGet(
        () -> {
          Path folder = adapter.orElse(model).toAbsolutePath().normalize();
          return String.valueOf(Optional.ofNullable(folder.getFileName()).orElse(folder));
        });
  }

  /** Checks that all input files and folders exist; throws UsageException naming the option. */
  public void checkInputs() {
    InputPaths.requireModel("model", model);
    template.checkInputs();
    adapter.ifPresent(InputPaths::requireAdapter);
    apiKeyFile.ifPresent(file -> ReadableFile.require("api_key_file", file));
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static ServeConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
