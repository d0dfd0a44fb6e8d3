package org.dpo4j.config;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.OptionText;
import org.dpo4j.gguf.GgufExport;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;

/**
 * The configuration of {@code export}: a model, an optional adapter and a file in another format.
 */
public record ExportConfig(
    @Option(help = "folder of the model, in Hugging Face format", aliases = "model_name_or_path")
        Path model,
    @Option(help = "folder of a LoRA adapter, which is merged") Optional<Path> adapter,
    @Option(value = "false", help = "write the adapter alone, to lie beside the model's file")
        boolean adapterOnly,
    @Option(value = "gguf", help = "format of the file") Format format,
    @Option(value = "auto", help = "type of the matrices; auto: the model's")
        GgufExport.OutType outtype,
    @Option(help = "the file; must not exist") Path output,
    @Option(value = "false", help = "read the file back and compare it with the model")
        boolean verify) {

  /** The formats. */
  public enum Format {
    GGUF
  }

  /** The table of all options of {@code export}. */
  public static final OptionTable<ExportConfig> OPTIONS = OptionTable.of(ExportConfig.class);

  public ExportConfig {
    OptionChecks.require(
        !adapterOnly || adapter.isPresent(),
        "adapter_only",
        OptionText.of("false without {adapter}"),
        adapterOnly,
        "name the adapter");
    OptionChecks.require(
        !adapterOnly || outtype == GgufExport.OutType.AUTO || outtype == GgufExport.OutType.F32,
        "outtype",
        OptionText.of("auto or f32 with {adapter_only}"),
        outtype.name().toLowerCase(Locale.ROOT),
        "leave it out");
  }

  /** Checks that all input folders exist; throws UsageException naming the option. */
  public void checkInputs() {
    InputPaths.requireModel("model", model);
    adapter.ifPresent(InputPaths::requireAdapter);
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static ExportConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
