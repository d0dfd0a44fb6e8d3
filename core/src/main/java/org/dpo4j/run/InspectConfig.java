package org.dpo4j.run;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.data.RowFormat;
import org.dpo4j.encode.OnBadRow;

/** What {@code inspect} needs: a folder with a tokenizer, and pairs. */
public record InspectConfig(
    @Option(
            help = "folder of the checkpoint whose tokenizer is used",
            aliases = "model_name_or_path")
        Path model,
    @Option(help = "preference pairs: .jsonl or .json, also .gz") Path dataFile,
    @Option(value = "auto", help = "what the columns mean; auto: as the first row shows")
        RowFormat dataFormat,
    @Option(help = "file for one JSON line for each row; without it the rows are shown")
        Optional<Path> output,
    @Option(value = "0", help = "ids of prompt and completion kept; 0: no truncation")
        int maxLength,
    @Option(value = "10", help = "rows shown when there is no output file; 0: all") int rows,
    @Option(value = "stop", help = "what a row that cannot be used does") OnBadRow onBadRow) {

  /** The table of all options of {@code inspect}. */
  public static final OptionTable<InspectConfig> OPTIONS = OptionTable.of(InspectConfig.class);

  public InspectConfig {
    Rule.atLeast("max_length", maxLength, 0, "0 means no truncation");
    Rule.atLeast("rows", rows, 0, "0 means all");
  }

  /** Checks that what the options name is there; throws UsageException naming the option. */
  public void checkInputs() {
    InputPaths.requireModel("model", model);
    InputPaths.requireFile("data_file", dataFile);
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static InspectConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
