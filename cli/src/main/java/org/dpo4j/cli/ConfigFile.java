package org.dpo4j.cli;

import java.nio.file.Path;
import java.util.Map;
import org.dpo4j.options.GivenValue;
import org.dpo4j.options.YamlOptions;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The flag {@code --config} of the commands that take options from a YAML file. */
final class ConfigFile {

  @Option(
      names = "--config",
      paramLabel = "PATH",
      description = "YAML file with options, such as TRL's; flags take precedence")
  private @Nullable Path file;

  /** The options in the file; none without one. */
  Map<String, GivenValue> read() {
    return file == null ? Map.of() : YamlOptions.read(file);
  }
}
