package org.dpo4j.run;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.config.BaseDtype;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.DataInput;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.options.OptionType;
import org.dpo4j.reference.ReferenceFiles;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.torch.Engine;
import org.dpo4j.train.Trainer;
import org.dpo4j.weights.LoadedModel;

/** Prints what a run is about to do, and warns about its data. */
final class TrainingHeader {
  private static final int FEWEST_POINTS = 4;

  private final TrainingConfig config;
  private final Trainer.Settings settings;
  private final RunOutput output;
  private final Prose prose;
  private final RunDescriptions words;
  private final StepDescriptions steps;

  TrainingHeader(TrainingConfig config, Trainer.Settings settings, RunOutput output) {
    this.config = config;
    this.settings = settings;
    this.output = output;
    this.prose = Prose.of(output, config.output().logFormat());
    this.words = new RunDescriptions(config);
    this.steps = new StepDescriptions(config, settings);
  }

  void print(
      ModelBundle inputs,
      TrainingExamples pairs,
      Optional<ReferenceFiles> reference,
      Saving saving) {
    LoadedModel loaded = inputs.loaded();
    prose.line(
        "model: %s (%s, %,d parameters, %s; weights %s%s, computation %s)",
        config.model().model(),
        loaded.config().modelType(),
        inputs.model().parameters().count(),
        inputs.adapter().isPresent() ? "frozen" : "all trained",
        loaded.checkpoint().dtype().torchName(),
        config.lora().baseDtype() == BaseDtype.INT8 ? ", in memory int8" : "",
        words.computation());
    ComputingEngine.note(config, inputs.model().untapedParts(), output);
    inputs
        .adapter()
        .ifPresent(adapter -> prose.line("adapter: %s", words.adapter(adapter.model())));
    inputs
        .replaced()
        .templateWords()
        .ifPresent(template -> prose.line("chat template: %s", template));
    if (config.loss().examples() != ExampleKind.DEMONSTRATIONS) {
      prose.line("reference: %s", words.reference(reference));
    }
    prose.line("loss: %s", words.loss());
    data("training", pairs.files(), pairs.training(), Set.of());
    if (config.loss().examples() == ExampleKind.LABELED) {
      labels(pairs.training());
    }
    pairs.heldOut().forEach(held -> heldOut(pairs, held));
    DatasetSummary.warn(output, pairs, inputs.tokenizer().template() != null);
    steps();
    prose.line("will be saved as %s", saving.plan());
    prose.line("threads: %d; seed: %d", Engine.threads(), config.engine().seed());
    noteFewPoints();
    warnOfIdleGuards();
    noteStepsWithoutEffect();
  }

  private void steps() {
    int stepsPerEpoch = settings.plan().stepsPerEpoch();
    prose.line(
        "%s of %s%s; %s one epoch; learning rate %s",
        StepDescriptions.steps(settings.maxSteps()),
        steps.sizeOfStep(),
        settings.plan().accumulation() == 1
            ? ""
            : " (%d x %d)"
                .formatted(settings.plan().microBatchSize(), settings.plan().accumulation()),
        StepDescriptions.steps(stepsPerEpoch) + (stepsPerEpoch == 1 ? " is" : " are"),
        steps.learningRate(", "));
  }

  /** A decay may end before the run. */
  private void noteStepsWithoutEffect() {
    LearningRateSchedule schedule = settings.schedule();
    int last = settings.maxSteps();
    while (last > 0 && schedule.at(last - 1) == 0) {
      last--;
    }
    if (schedule.peak() > 0 && settings.maxSteps() - last > 1) {
      output.note(
          OptionText.of(
              "the learning rate is 0 from step %d on, and the weights no longer change; pass fewer"
                  + " steps or another {lr_scheduler_kwargs}",
              last + 1));
    }
  }

  /** A diagnosis that needs more log lines than the run has before its end. */
  private void warnOfIdleGuards() {
    int points = (settings.maxSteps() - 1) / settings.loggingSteps();
    config.checkpoints().guards().stream()
        .filter(guard -> points < guard.fewestReports())
        .forEach(
            guard ->
                output.warn(
                    OptionText.of(
                        "{guard} %s cannot stop this run: it needs %d log lines before the last step, and there are %d; lower {logging_steps}",
                        OptionType.text(guard), guard.fewestReports(), points)));
  }

  /** With TRL's default of 10 steps per line, a short run has too few points for a curve. */
  private void noteFewPoints() {
    int points = (settings.maxSteps() - 1) / settings.loggingSteps() + 1;
    if (points < FEWEST_POINTS && settings.loggingSteps() > 1 && settings.maxSteps() > 1) {
      output.note(
          OptionText.of(
              "%s with a log line every %d give %s, too few for a curve; pass {logging_steps} 1",
              StepDescriptions.steps(settings.maxSteps()),
              settings.loggingSteps(),
              ShortNumber.count(points, "point")));
    }
  }

  private void labels(ExampleDataset training) {
    LabelBalance balance = LabelBalance.of(training.examples());
    prose.line("labels: %s", balance.words());
    balance
        .advice(config.loss().desirableWeight(), config.loss().undesirableWeight())
        .ifPresent(output::warn);
  }

  private void data(String use, DataInput input, ExampleDataset dataset, Set<String> told) {
    List<String> lines = DatasetSummary.lines(input, dataset, told);
    prose.line("%s: %s", use, lines.get(0));
    lines.subList(1, lines.size()).forEach(prose::print);
  }

  private void heldOut(TrainingExamples pairs, HeldOut held) {
    if (held.files().isPresent()) {
      Set<String> told = pairs.training().counts().notes().keySet();
      data(held.use(), held.files().get(), held.dataset(), told);
    } else {
      prose.line(
          "%s: eval_split %s: %s",
          held.use(),
          DataFacts.split(config, pairs),
          ShortNumber.count(held.size(), config.loss().examples().noun()));
    }
  }
}
