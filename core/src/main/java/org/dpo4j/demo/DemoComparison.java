package org.dpo4j.demo;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.checkpoint.OutputFolder;
import org.dpo4j.loss.IpoLoss;
import org.dpo4j.loss.IpoSumLoss;
import org.dpo4j.loss.PreferenceLoss;
import org.dpo4j.loss.SigmoidLoss;
import org.dpo4j.loss.SigmoidNormLoss;
import org.dpo4j.loss.UnitMarginLoss;
import org.dpo4j.options.OptionType;
import org.dpo4j.report.ComparisonPlot;
import org.dpo4j.report.Picture;
import org.dpo4j.report.RunOutput;
import org.dpo4j.run.InterruptedOutput;
import org.dpo4j.torch.RandomNumbers;

/** {@code demo --compare}: one start, several losses, side by side. */
final class DemoComparison {

  private static final String PICTURE = "demo-compare.png";
  private static final double SMOOTHING = 0.1;

  /** Share of a loss's own fall after which a run counts as converged. */
  private static final double CONVERGED = 0.9;

  /**
   * One loss's run.
   *
   * @param name in table and plot
   * @param steps one for each pass
   * @param margin after the last step
   * @param distance mean over all completions of |log-ratio| after the last step
   */
  private record Result(String name, List<DpoReport.Step> steps, double margin, double distance) {

    double firstLoss() {
      return steps.get(0).loss();
    }

    double lowestLoss() {
      return steps.stream().mapToDouble(DpoReport.Step::loss).min().orElse(Double.NaN);
    }

    /** The first step from which on the loss stays close to its lowest value. */
    int convergedAt() {
      double goal = firstLoss() - CONVERGED * (firstLoss() - lowestLoss());
      int step = steps.size();
      while (step > 1 && steps.get(step - 2).loss() <= goal) {
        step--;
      }
      return step;
    }
  }

  private final DemoConfig config;
  private final PrintStream out;
  private final List<PreferenceTriple> triples = DemoTriples.all();

  private DemoComparison(DemoConfig config, PrintStream out) {
    this.config = config;
    this.out = out;
  }

  static void run(DemoConfig config, RunOutput output) {
    PrintStream out = output.out();
    DemoComparison comparison = new DemoComparison(config, out);
    if (config.outputDir().isPresent()) {
      Path target = config.outputDir().get();
      try (OutputFolder folder = OutputFolder.prepare(target, false);
          InterruptedOutput interruption =
              InterruptedOutput.watch(output, "picture", folder, target)) {
        List<Result> results = comparison.train();
        folder.write(PICTURE, picture(results)::writePng);
        folder.publish();
        out.println("curves: " + target.resolve(PICTURE));
      }
    } else {
      List<Result> results = comparison.train();
      try {
        picture(results).writePng(Path.of(PICTURE));
        out.println("curves: " + PICTURE);
      } catch (IOException e) {
        throw new DpoException(
            "["
                + PICTURE
                + "] could not be written: "
                + e.getMessage()
                + OptionText.of("; pass {output_dir}"),
            e);
      }
    }
  }

  private List<Result> train() {
    List<PreferenceLoss> losses =
        List.of(
            new SigmoidLoss(config.beta()),
            new SigmoidLoss(config.beta(), SMOOTHING),
            new SigmoidNormLoss(config.beta(), 0),
            new UnitMarginLoss(config.beta()),
            new IpoSumLoss(config.beta()),
            new IpoLoss(config.beta()));
    List<String> names =
        List.of(
            "sigmoid",
            "sigmoid, smoothing " + SMOOTHING,
            "sigmoid_norm",
            "(z - 1)^2",
            "ipo_sum",
            "ipo");
    List<Result> results = new ArrayList<>();
    try (TinyGpt start = DemoRun.pretrained(new RandomNumbers(config.seed()), out)) {
      MarginTable before = Dpo.evaluateMargins(start, triples);
      line(
          "initial margin %+.2f; beta %s, learning rate %s, %d passes for each loss",
          before.meanMargin(),
          OptionType.text(config.beta()),
          OptionType.text(config.learningRate()),
          config.steps());
      for (int i = 0; i < losses.size(); i++) {
        results.add(train(names.get(i), losses.get(i), start, before));
      }
    }
    print(results);
    return results;
  }

  private Result train(String name, PreferenceLoss loss, TinyGpt start, MarginTable before) {
    DpoSettings settings =
        new DpoSettings(
            loss, config.steps(), config.perDeviceTrainBatchSize(), config.learningRate());
    try (TinyGpt policy = start.copy()) {
      DpoReport report = Dpo.trainDpo(policy, start, triples, settings);
      return new Result(
          name, report.steps(), report.trained().meanMargin(), distance(before, report.trained()));
    }
  }

  /** The mean absolute log-ratio over all completions. */
  private static double distance(MarginTable before, MarginTable after) {
    return IntStream.range(0, before.rows().size())
            .mapToDouble(
                i -> {
                  MarginTable.Row old = before.rows().get(i);
                  MarginTable.Row now = after.rows().get(i);
                  return Math.abs(now.chosenLogProb() - old.chosenLogProb())
                      + Math.abs(now.rejectedLogProb() - old.rejectedLogProb());
                })
            .average()
            .orElse(Double.NaN)
        / 2;
  }

  private void print(List<Result> results) {
    line("");
    line(
        "%-22s %20s %14s %13s %13s %14s",
        "loss", "first -> last", "converged at", "final margin", "reward margin", "|log-ratio|");
    for (Result result : results) {
      DpoReport.Step last = result.steps().get(result.steps().size() - 1);
      line(
          "%-22s %9.4f -> %7.4f %14s %+13.2f %+13.2f %14.2f",
          result.name(),
          result.firstLoss(),
          last.loss(),
          "step " + result.convergedAt(),
          result.margin(),
          last.rewardMargin(),
          result.distance());
    }
    line("");
    Result fastest =
        results.stream().min(Comparator.comparingInt(Result::convergedAt)).orElseThrow();
    Result furthest =
        results.stream().max(Comparator.comparingDouble(Result::distance)).orElseThrow();
    List<String> asFast =
        results.stream()
            .filter(result -> result.convergedAt() == fastest.convergedAt())
            .map(Result::name)
            .toList();
    line(
        "%s converged fastest (%.0f %% of %s fall in loss for good by step %d); %s moved furthest from the"
            + " reference (%.1f nats per completion on average).",
        String.join(" and ", asFast),
        100 * CONVERGED,
        asFast.size() == 1 ? "its" : "their",
        fastest.convergedAt(),
        furthest.name(),
        furthest.distance());
  }

  private static Picture picture(List<Result> results) {
    return ComparisonPlot.draw(
        "dpo4j demo: losses on the twelve triples",
        List.of(
            quantity(results, "Loss", "loss", DpoReport.Step::loss),
            quantity(
                results, "Margin (policy only)", "log-probability, nats", DpoReport.Step::margin)));
  }

  private static ComparisonPlot.Quantity quantity(
      List<Result> results, String title, String unit, Function<DpoReport.Step, Double> value) {
    return new ComparisonPlot.Quantity(
        title,
        unit,
        results.stream()
            .map(
                result ->
                    new ComparisonPlot.Series(
                        result.name(), result.steps().stream().map(value).toList()))
            .toList());
  }

  private void line(String format, Object... values) {
    out.println(String.format(Locale.ROOT, format, values));
  }
}
