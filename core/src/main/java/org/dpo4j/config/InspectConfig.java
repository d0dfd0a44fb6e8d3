package org.dpo4j.config;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.RowFormat;
import org.dpo4j.encode.OnBadRow;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;

/** The configuration of {@code inspect}: a folder with a tokenizer, and pairs. */
public record InspectConfig(
    @Option(help = "folder of the model whose tokenizer is used", aliases = "model_name_or_path")
        Path model,
    @Option(help = TrainingConfig.DATA_HELP) List<Path> dataFile,
    @Option(help = TrainingConfig.COLUMNS_HELP) Optional<List<String>> columns,
    @Option(value = "auto", help = "row format; auto detects it from the first row")
        RowFormat dataFormat,
    Templating template,
    @Option(help = "file for one JSON line per row; - is stdout", stream = true)
        Optional<Path> output,
    @Option(value = "0", help = "max tokens of prompt plus completion; 0 = no limit") int maxLength,
    @Option(value = "10", help = "rows to show when there is no output file; 0 = all") int rows,
    @Option(help = "number of one row to show whole; 1 is the first") Optional<Integer> row,
    @Option(help = "rows of one kind: kept, cut, dropped, bad, or words of a warning")
        Optional<String> reason,
    @Option(value = "stop", help = "stop at a bad row, or skip and count it") OnBadRow onBadRow,
    @Option(value = "false", help = "exit with 1 if anything is cut, dropped or warned of")
        boolean strict) {

  /** The value of {@code reason} for bad rows. */
  public static final String BAD = "bad";

  /** The table of all options of {@code inspect}. */
  public static final OptionTable<InspectConfig> OPTIONS = OptionTable.of(InspectConfig.class);

  public InspectConfig {
    OptionChecks.atLeast("max_length", maxLength, 0, "0 means no truncation");
    DataInputs.columns(columns);
    OptionChecks.atLeast("rows", rows, 0, "0 means all");
    row.ifPresent(number -> OptionChecks.atLeast("row", number, 1, "1 is the first"));
    if (row.isPresent() && reason.isPresent()) {
      throw new UsageException(
          "reason",
          "chooses among many rows",
          OptionText.of("{row} names one"),
          "leave one of them out");
    }
    if (row.isPresent() && strict) {
      throw new UsageException(
          "strict", "is about all rows", OptionText.of("{row} shows one"), "leave one of them out");
    }
    if (reason.filter(BAD::equals).isPresent() && onBadRow == OnBadRow.STOP) {
      throw new UsageException(
          "reason",
          "shows bad rows where they are skipped",
          OptionText.of("{on_bad_row} is stop"),
          OptionText.of("pass {on_bad_row} skip"));
    }
  }

  /** The files that are read; throws UsageException if one does not exist. */
  public DataInput input() {
    return DataInputs.of("data_file", dataFile, columns, dataFormat);
  }

  /** Checks that all input files and folders exist; throws UsageException naming the option. */
  public void checkInputs() {
    InputPaths.requireModel("model", model);
    template.checkInputs();
    input();
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static InspectConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
