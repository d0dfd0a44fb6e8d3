package org.dpo4j.config;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.RowFormat;
import org.dpo4j.encode.OnBadRow;
import org.dpo4j.options.DeviceName;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;

/** The configuration of {@code score}: a model, an optional reference, pairs and an output file. */
public record ScoreConfig(
    @Option(help = "folder of the model, in Hugging Face format", aliases = "model_name_or_path")
        Path model,
    @Option(help = TrainingConfig.DATA_HELP) List<Path> dataFile,
    @Option(help = TrainingConfig.COLUMNS_HELP) Optional<List<String>> columns,
    @Option(value = "auto", help = "row format; auto detects it from the first row")
        RowFormat dataFormat,
    Templating template,
    @Option(help = "file for the scores, one JSON line per row; - is stdout", stream = true)
        Path output,
    @Option(help = "folder of the reference model; adds rewards") Optional<Path> refModel,
    @Option(help = "folder of a LoRA adapter to load on the model") Optional<Path> adapter,
    @Option(value = "auto", help = "weights; auto keeps their type") BaseDtype baseDtype,
    @Option(value = "0.1", help = "factor of the rewards") double beta,
    @Option(value = "0", help = "max tokens of prompt plus completion; 0 = no limit") int maxLength,
    @Option(value = "stop", help = "stop at a bad row, or skip and count it") OnBadRow onBadRow,
    @Option(value = "8", help = "rows per batch") int perDeviceEvalBatchSize,
    @Option(value = "cpu", help = Devices.HELP) DeviceName device,
    @Option(value = "0", help = "CPU threads; 0 uses all cores") int threads) {

  /** The table of all options of {@code score}. */
  public static final OptionTable<ScoreConfig> OPTIONS = OptionTable.of(ScoreConfig.class);

  public ScoreConfig {
    OptionChecks.positive("beta", beta, "0.1 is usual");
    OptionChecks.atLeast("max_length", maxLength, 0, "0 means no truncation");
    DataInputs.columns(columns);
    OptionChecks.atLeast("per_device_eval_batch_size", perDeviceEvalBatchSize, 1, "8 is usual");
    OptionChecks.threads(threads);
  }

  /** The files that are read; throws UsageException if one does not exist. */
  public DataInput input() {
    return DataInputs.of("data_file", dataFile, columns, dataFormat);
  }

  /** Checks that all input files and folders exist; throws UsageException naming the option. */
  public void checkInputs() {
    checkFolders();
    input();
  }

  /** {@link #checkInputs} for rows that are not in files. */
  public void checkFolders() {
    InputPaths.requireModel("model", model);
    template.checkInputs();
    adapter.ifPresent(InputPaths::requireAdapter);
    refModel.ifPresent(path -> InputPaths.requireModel("ref_model", path));
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static ScoreConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
