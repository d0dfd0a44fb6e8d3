package org.dpo4j.config;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.UsageException;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.RowFormat;
import org.dpo4j.encode.OnBadRow;
import org.dpo4j.options.DeviceName;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;

/** The configuration of {@code eval}: models, and pairs that they were not trained on. */
public record EvalConfig(
    @Option(
            help = "models or adapters; the others are compared with the first",
            aliases = "model_name_or_path")
        List<Path> model,
    @Option(help = TrainingConfig.DATA_HELP) List<Path> dataFile,
    @Option(help = TrainingConfig.COLUMNS_HELP) Optional<List<String>> columns,
    @Option(value = "auto", help = "row format; auto detects it from the first row")
        RowFormat dataFormat,
    Templating template,
    @Option(help = "file for all figures as JSON; - is stdout", stream = true)
        Optional<Path> output,
    @Option(help = "reference of all models (default: what each was trained from)")
        Optional<Path> refModel,
    @Option(help = "model of the adapters (default: the one that each names)")
        Optional<Path> baseModel,
    @Option(help = "factor of the rewards (default: that of the model's run, else 0.1)")
        Optional<Double> beta,
    @Option(help = "columns by whose values the pairs are divided, such as source")
        Optional<List<String>> sliceBy,
    @Option(value = "2048", help = "chosen tokens on which the KL divergence is measured; 0 = none")
        int klTokens,
    @Option(value = "0", help = "max tokens of prompt plus completion; 0 = no limit") int maxLength,
    @Option(value = "stop", help = "stop at a bad row, or skip and count it") OnBadRow onBadRow,
    @Option(value = "cpu", help = Devices.HELP) DeviceName device,
    @Option(value = "0", help = "CPU threads; 0 uses all cores") int threads) {

  /** The table of all options of {@code eval}. */
  public static final OptionTable<EvalConfig> OPTIONS = OptionTable.of(EvalConfig.class);

  public EvalConfig {
    model = List.copyOf(model);
    beta.ifPresent(value -> OptionChecks.positive("beta", value, "0.1 is usual"));
    OptionChecks.atLeast("kl_tokens", klTokens, 0, "0 leaves it out");
    OptionChecks.atLeast("max_length", maxLength, 0, "0 means no truncation");
    DataInputs.columns(columns);
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

  /** As {@link #checkInputs} without the data. */
  public void checkFolders() {
    InputPaths.requireModels(model, refModel, baseModel);
    if (baseModel.isPresent() && model.stream().noneMatch(InputPaths::isAdapter)) {
      throw new UsageException("base_model", "is for adapters", "no model is one", "leave it out");
    }
    template.checkInputs();
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static EvalConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
