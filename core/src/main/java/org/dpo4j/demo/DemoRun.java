package org.dpo4j.demo;

import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.StartCheck;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingMetrics;
import org.dpo4j.checkpoint.OutputFolder;
import org.dpo4j.config.LossSettings;
import org.dpo4j.config.LossType;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.loss.Objective;
import org.dpo4j.loss.PreferenceLoss;
import org.dpo4j.options.OptionType;
import org.dpo4j.report.Conclusion;
import org.dpo4j.report.CurvesPlot;
import org.dpo4j.report.Picture;
import org.dpo4j.report.RunHistory;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.ShortNumber;
import org.dpo4j.report.TrainerState;
import org.dpo4j.run.InterruptedOutput;
import org.dpo4j.torch.Engine;
import org.dpo4j.torch.RandomNumbers;

/**
 * The demo: pretrains briefly, copies the weights, trains on the twelve triples and prints what
 * changed.
 */
public final class DemoRun {

  private final DemoConfig config;
  private final PrintStream out;
  private final RandomNumbers random;
  private final List<PreferenceTriple> triples = DemoTriples.all();

  private DemoRun(DemoConfig config, PrintStream out) {
    this.config = config;
    random = new RandomNumbers(config.seed());
    this.out = out;
  }

  /**
   * Runs the demo.
   *
   * @throws DpoException with the reason if the margin did not grow or the loss did not fall
   */
  public static void run(DemoConfig config, RunOutput output) {
    try (Engine.Threads threads = Engine.use(config.threads())) {
      runOnThem(config, output);
    }
  }

  private static void runOnThem(DemoConfig config, RunOutput output) {
    if (config.compare()) {
      DemoComparison.run(config, output);
    } else if (config.outputDir().isPresent()) {
      try (OutputFolder folder = OutputFolder.prepare(config.outputDir().get(), false);
          InterruptedOutput interruption =
              InterruptedOutput.watch(output, "picture", folder, config.outputDir().get())) {
        RunHistory history = new DemoRun(config, output.out()).run();
        folder.write("curves.png", curves(config, history)::writePng);
        folder.write("trainer_state.json", file -> state(config).write(file, history));
        folder.publish();
        output.out().println("written to " + config.outputDir().get());
      }
    } else {
      new DemoRun(config, output.out()).run();
    }
    output
        .out()
        .println(
            (config.outputDir().isPresent() ? "" : "nothing was saved; ")
                + "next, in the folder of dpo4j: ./dpo4j train --config examples/train.yaml");
  }

  private static Picture curves(DemoConfig config, RunHistory history) {
    return CurvesPlot.draw(
        "dpo4j demo",
        "loss %s, beta %s, learning rate %s, %d triples"
            .formatted(
                loss(config).name(),
                OptionType.text(config.beta()),
                OptionType.text(config.learningRate()),
                DemoTriples.all().size()),
        history,
        0);
  }

  private static TrainerState state(DemoConfig config) {
    int stepsPerPass =
        Dpo.plan(DemoTriples.all().size(), config.perDeviceTrainBatchSize()).stepsPerEpoch();
    return new TrainerState(
        config.steps() * stepsPerPass,
        config.steps(),
        config.perDeviceTrainBatchSize(),
        stepsPerPass,
        null,
        0,
        Optional.empty());
  }

  private RunHistory run() {
    PreferenceLoss loss = loss(config);
    printConfiguration(loss);
    try (TinyGpt start = pretrained(random, out);
        TinyGpt reference = reference(start);
        TinyGpt policy = start.copy()) {
      MarginTable before = Dpo.evaluateMargins(policy, triples);
      line("initial margin %+.2f", before.meanMargin());
      RunHistory history = train(policy, reference, loss);
      MarginTable after = Dpo.evaluateMargins(policy, triples);
      printTable(before, after);
      conclude(history, before, after, finalLoss(policy, reference, loss));
      return history;
    }
  }

  /** The loss that the options name. */
  static PreferenceLoss loss(DemoConfig config) {
    LossType type =
        config.lengthNormalization() && config.lossType() == LossType.SIGMOID
            ? LossType.SIGMOID_NORM
            : config.lossType();
    return (PreferenceLoss) type.create(LossSettings.of(config.beta(), config.labelSmoothing()));
  }

  private void printConfiguration(PreferenceLoss loss) {
    TinyGptConfig model = TinyGptConfig.DEMO;
    line(
        "TinyGPT: vocabulary %d, hidden %d, heads %d, depth %d, context %d; seed %d",
        model.vocabSize(),
        model.hidden(),
        model.heads(),
        model.depth(),
        model.maxPositions(),
        config.seed());
    line(
        "DPO: loss %s, beta %s, label smoothing %s, learning rate %s, %d passes, %d triples a step,"
            + " reference %s",
        loss.name(),
        OptionType.text(config.beta()),
        OptionType.text(config.labelSmoothing()),
        OptionType.text(config.learningRate()),
        config.steps(),
        config.perDeviceTrainBatchSize(),
        config.reference());
  }

  /** A model with random weights after its pretraining, which is printed. */
  static TinyGpt pretrained(RandomNumbers random, PrintStream out) {
    TinyGpt model = TinyGpt.random(TinyGptConfig.DEMO, random);
    out.printf(
        Locale.ROOT,
        "warm-up on prompt and chosen: %d epochs, learning rate %s%n",
        TinyGpt.PRETRAINING_EPOCHS,
        TinyGpt.PRETRAINING_RATE);
    printLosses(out, model.pretrain(DemoTriples.all()));
    return model;
  }

  private static void printLosses(PrintStream out, List<Double> losses) {
    StringBuilder text = new StringBuilder("losses");
    losses.forEach(loss -> text.append(String.format(Locale.ROOT, " %.4f", loss)));
    out.println(text);
  }

  private TinyGpt reference(TinyGpt start) {
    if (config.reference() == DemoConfig.Reference.START) {
      return start.copy();
    }
    TinyGpt student = TinyGpt.random(TinyGptConfig.DISTILLED, random);
    List<Double> losses = student.distillFrom(start, triples);
    line(
        "reference distilled: %d weights, a %.0f-th of the policy's %d; cross-entropy with its"
            + " teacher %.4f -> %.4f",
        student.parameterCount(),
        (double) start.parameterCount() / student.parameterCount(),
        start.parameterCount(),
        losses.get(0),
        losses.get(losses.size() - 1));
    return student;
  }

  private RunHistory train(TinyGpt policy, TinyGpt reference, PreferenceLoss loss) {
    RunHistory history = new RunHistory();
    if (config.reference() != DemoConfig.Reference.START) {
      line("start check skipped: training does not start from the reference");
    }
    DpoSettings settings =
        new DpoSettings(
            loss, config.steps(), config.perDeviceTrainBatchSize(), config.learningRate());
    Dpo.train(
        policy,
        reference,
        triples,
        settings,
        new TrainingListener() {
          @Override
          public void onStartCheck(StartCheck check) {
            line(
                "start check: initial loss %.6f (expected %.6f)",
                check.measured(), check.expected());
          }

          @Override
          public void onReport(StepReport report, TrainingControl control) {
            history.add(report);
            printStep(history.steps().size(), report.metrics());
          }
        });
    return history;
  }

  private void printStep(int step, TrainingMetrics metrics) {
    line(
        "step %2d/%d  loss %.4f  margin %+.2f  reward_margin %+.2f  chosen_logp %.1f"
            + "  rejected_logp %.1f",
        step,
        config.steps(),
        metrics.loss(),
        metrics.logpsChosen() - metrics.logpsRejected(),
        metrics.rewardsMargins(),
        metrics.logpsChosen(),
        metrics.logpsRejected());
  }

  private void printTable(MarginTable before, MarginTable after) {
    line("");
    line("%-24s %19s %21s %21s", "", "chosen log-prob", "rejected log-prob", "margin");
    line(
        "%-24s %9s %9s %11s %9s %11s %9s",
        "prompt", "before", "after", "before", "after", "before", "after");
    for (int i = 0; i < triples.size(); i++) {
      MarginTable.Row old = before.rows().get(i);
      MarginTable.Row now = after.rows().get(i);
      line(
          "%-24s %9.2f %9.2f %11.2f %9.2f %+11.2f %+9.2f",
          MarginTable.shortened(triples.get(i).prompt()),
          old.chosenLogProb(),
          now.chosenLogProb(),
          old.rejectedLogProb(),
          now.rejectedLogProb(),
          old.margin(),
          now.margin());
    }
    line("");
  }

  /** The loss after the last update, on all triples. */
  private double finalLoss(TinyGpt policy, TinyGpt reference, PreferenceLoss loss) {
    return Dpo.data(reference, TripleEncoder.encode(triples))
        .evaluate(LogProbEngine.cpu(), policy.model(), Objective.of(loss), triples.size())
        .loss();
  }

  private void conclude(
      RunHistory history, MarginTable before, MarginTable after, double finalLoss) {
    double firstLoss = history.steps().get(0).metrics().loss();
    line("loss %.4f -> %.6f", firstLoss, finalLoss);
    line("final margin %+.2f, initial margin %+.2f", after.meanMargin(), before.meanMargin());
    if (!(finalLoss < firstLoss)) {
      throw new DpoException(
          OptionText.of(
              "the demo failed: the loss must fall but went from %.6f to %.6f; try a smaller"
                  + " {learning_rate}",
              firstLoss, finalLoss));
    }
    if (!(after.meanMargin() > before.meanMargin())) {
      throw new DpoException(
          OptionText.of(
              "the demo failed: the margin must grow but went from %.2f to %.2f; try more {steps}"
                  + " or another {learning_rate}",
              before.meanMargin(), after.meanMargin()));
    }
    line("the margin grew and the loss fell");
    explain(before, after);
  }

  /**
   * A falling chosen log-probability looks like a failure to whoever sees DPO for the first time.
   */
  private void explain(MarginTable before, MarginTable after) {
    double chosen = after.meanChosenLogProb() - before.meanChosenLogProb();
    double rejected = after.meanRejectedLogProb() - before.meanRejectedLogProb();
    line("");
    line(
        "On average the log-probability of the chosen answers moved by %s nats and that of the"
            + " rejected ones by %s.",
        ShortNumber.fixed("%+.1f", chosen), ShortNumber.fixed("%+.1f", rejected));
    line("%s", Conclusion.meaning(chosen, rejected));
  }

  private void line(String format, Object... values) {
    out.println(String.format(Locale.ROOT, format, values));
  }
}
