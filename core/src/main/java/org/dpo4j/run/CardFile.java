package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.dpo4j.Dpo4j;
import org.dpo4j.checkpoint.OutputFolder;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.report.Conclusion;
import org.dpo4j.report.ModelCard;
import org.dpo4j.report.RunSummary;
import org.dpo4j.train.Trainer;

/** Writes the model card of a run: {@code README.md}. */
record CardFile(TrainingConfig config, Trainer.Settings settings) {

  /** Options that a card does not show, since they do not change the model. */
  private static final Set<String> NOT_SHOWN =
      Set.of(
          "threads",
          "overwrite_output_dir",
          "logging_steps",
          "log_format",
          "report_to",
          "run_name",
          "ledger",
          "sample_prompts",
          "ui");

  /**
   * What a card shows besides the options.
   *
   * @param saved the number type of the saved weights and the reason for it
   * @param warnings of the run
   * @param samples answers before and after training
   */
  record Contents(
      ModelBundle inputs,
      DataFacts data,
      TrainingTotals totals,
      Conclusion conclusion,
      String saved,
      List<String> warnings,
      List<RunSummary.Sample> samples) {}

  void write(OutputFolder folder, Contents contents) {
    folder.write("README.md", file -> ModelCard.write(file, summary(folder.target(), contents)));
  }

  private RunSummary summary(Path target, Contents contents) throws IOException {
    RunDescriptions words = new RunDescriptions(config);
    StepDescriptions steps = new StepDescriptions(config, settings);
    return new RunSummary(
        config.loss().objective().loss(),
        String.valueOf(target.getFileName()),
        config.model().model().toString(),
        config.trainsAdapter(),
        words.referenceOfCard(),
        words.lossNames(),
        contents.data().conversational(),
        contents.data().rowForm(),
        null,
        options(),
        contents.data().files(),
        contents.conclusion().history().heldOut(),
        contents.totals().seconds(),
        versions(),
        new RunSummary.Origin(
            Lineage.of(config.model().model()),
            contents.inputs().loaded().checkpoint().sha256(),
            contents.data().hashes(),
            contents.saved()),
        new RunSummary.Account(
            relative(config.output().outputDir()).orElse("."),
            relative(config.model().model()).orElse(Paths.name(config.model().model())),
            "%s of %s with the loss %s, learning rate %s.%s"
                .formatted(
                    steps.done(contents.totals()),
                    steps.sizeOfStep(),
                    words.loss(),
                    steps.learningRate(" "),
                    contents
                        .inputs()
                        .adapter()
                        .map(adapter -> " " + words.adapter(adapter.model()) + ".")
                        .orElse("")),
            contents.conclusion().summary(),
            contents.warnings(),
            contents.samples()));
  }

  /** The path if it reveals nothing about the machine: relative and below the working folder. */
  private static Optional<String> relative(Path path) {
    Path plain = path.normalize();
    return plain.isAbsolute() || plain.startsWith("..") || plain.toString().isEmpty()
        ? Optional.empty()
        : Optional.of(plain.toString());
  }

  /** Options that differ from their defaults, without paths and those that change no number. */
  private Map<String, String> options() {
    return RunRecords.changedOptions(
        config, option -> !option.label().startsWith("PATH") && !NOT_SHOWN.contains(option.name()));
  }

  private static Map<String, String> versions() throws IOException {
    Map<String, String> versions = new LinkedHashMap<>();
    versions.put("dpo4j", Dpo4j.version());
    versions.put("libtorch", Dpo4j.libtorchVersion());
    versions.put("Java", String.valueOf(System.getProperty("java.version")));
    return versions;
  }
}
