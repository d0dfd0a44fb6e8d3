package org.dpo4j.demo;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.config.LossRules;
import org.dpo4j.config.LossSettings;
import org.dpo4j.config.LossType;
import org.dpo4j.config.OptionChecks;
import org.dpo4j.loss.ReferenceUse;
import org.dpo4j.loss.TrainingLoss;
import org.dpo4j.options.Option;
import org.dpo4j.options.OptionTable;
import org.dpo4j.options.OptionType;

/** What {@code demo} can change about the built-in run on the twelve triples. */
public record DemoConfig(
    @Option(value = "30", help = "epochs; one row is printed for each") int steps,
    @Option(value = "0.2", help = "KL strength: higher stays closer to the reference") double beta,
    @Option(value = "1e-4", help = "learning rate") double learningRate,
    @Option(value = "12", help = "pairs per optimizer step") int perDeviceTrainBatchSize,
    @Option(value = "0", help = "random seed of the initial weights") long seed,
    @Option(value = "sigmoid", help = "loss function") LossType lossType,
    @Option(value = "false", help = "divide log-probabilities by completion length")
        boolean lengthNormalization,
    @Option(value = "0", help = "assumed fraction of mislabeled pairs (cDPO)")
        double labelSmoothing,
    @Option(value = "start", help = "distilled: a smaller, distilled model") Reference reference,
    @Option(value = "false", help = "compare several losses in a table and a plot") boolean compare,
    @Option(help = "folder for the demo's files") Optional<Path> outputDir,
    @Option(value = "1", help = "CPU threads; 0 uses all cores") int threads) {

  /** The table of all options of {@code demo}. */
  public static final OptionTable<DemoConfig> OPTIONS = OptionTable.of(DemoConfig.class);

  /** The names of the demo's {@code --reference}. */
  public enum Reference {
    /** A frozen copy of the warmed-up model. */
    START,
    /** A smaller, cheaper model distilled from it. */
    DISTILLED;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  public DemoConfig {
    OptionChecks.atLeast("steps", steps, 1, "30 is the default");
    OptionChecks.positive("beta", beta, "0.2 is the default");
    OptionChecks.notNegative("learning_rate", learningRate, "1e-4 is the default");
    OptionChecks.require(
        perDeviceTrainBatchSize >= 1 && perDeviceTrainBatchSize <= 12,
        "per_device_train_batch_size",
        "from 1 to 12, the number of triples,",
        perDeviceTrainBatchSize,
        "12 is one step for each pass");
    OptionChecks.labelSmoothing(labelSmoothing);
    TrainingLoss loss =
        LossRules.loss(List.of(lossType), Optional.empty(), LossSettings.of(beta, labelSmoothing));
    if (loss.examples() != ExampleKind.PAIRS) {
      throw new UsageException(
          "loss_type",
          "%s does not learn from pairs, which the demo is about"
              .formatted(OptionType.text(lossType)),
          "",
          "use sigmoid");
    }
    if (loss.reference() != ReferenceUse.LOSS) {
      throw new UsageException(
          "loss_type",
          "%s needs no reference, which the demo is about".formatted(OptionType.text(lossType)),
          "",
          "use it with dpo4j train");
    }
    if (lengthNormalization && lossType != LossType.SIGMOID && lossType != LossType.SIGMOID_NORM) {
      throw new UsageException(
          "length_normalization",
          OptionText.of("works with {loss_type} sigmoid"),
          "the loss is %s".formatted(OptionType.text(lossType)),
          "ipo is normalized already, the others have no such form");
    }
    OptionChecks.threads(threads);
  }

  /** A configuration from option names and values, the rest at their defaults. */
  public static DemoConfig of(Map<String, ?> options) {
    return OPTIONS.build(options);
  }
}
