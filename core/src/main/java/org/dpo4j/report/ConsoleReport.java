package org.dpo4j.report;

import java.io.PrintStream;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.dpo4j.EvaluationReport;
import org.dpo4j.ExampleKind;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingMetrics;

/**
 * Prints one line for each report of a run, in a {@link LogFormat}. {@code TABLE} and {@code DICT}
 * shorten numbers for people; {@code JSON} and the files have all digits.
 */
final class ConsoleReport {
  private final PrintStream out;
  private final LogFormat format;
  private final int maxSteps;
  private final String row;
  private boolean headed;

  /**
   * @param out where the lines go
   * @param maxSteps optimizer steps of the whole run
   * @param widestSet characters of the longest name of an evaluation set; 0 without names
   */
  ConsoleReport(PrintStream out, LogFormat format, int maxSteps, int widestSet) {
    this.out = out;
    this.format = format;
    this.maxSteps = maxSteps;
    this.row =
        "%-"
            + (widestSet == 0 ? "train".length() : "eval ".length() + widestSet)
            + "s  %"
            + Math.max("step".length(), steps(maxSteps).length())
            + "s  %10s  %13s  %8s  %13s  %10s";
  }

  /**
   * The line of a logged step.
   *
   * @param secondsLeft until the last step, estimated; NaN if unknown
   */
  void print(StepReport report, double secondsLeft) {
    switch (format) {
      case TABLE ->
          row(
              "train",
              report.step(),
              report.metrics(),
              ShortNumber.of(report.learningRate()),
              TimeText.of(secondsLeft));
      default -> print(MetricNames.of(report), report.step());
    }
  }

  /** The line of an evaluation. */
  void print(EvaluationReport report) {
    switch (format) {
      case TABLE ->
          row(("eval " + report.dataset()).strip(), report.step(), report.metrics(), "", "");
      default -> print(MetricNames.of(report), report.step());
    }
  }

  /**
   * Prints the totals of {@link Results#train()}. A table has no such line: the summary of the run
   * follows it.
   *
   * @param step at which the run ended
   */
  void finish(Map<String, ? extends Number> totals, int step) {
    if (format != LogFormat.TABLE) {
      print(totals, step);
    }
  }

  private void print(Map<String, ? extends Number> named, int step) {
    if (format == LogFormat.DICT) {
      line(
          named.entrySet().stream()
              .map(entry -> "'" + entry.getKey() + "': " + ShortNumber.of(entry.getValue()))
              .collect(Collectors.joining(", ", "{", "}")));
    } else {
      Map<String, Number> withStep = new LinkedHashMap<>(named);
      withStep.put("step", step);
      line(JsonFile.line(withStep));
    }
  }

  private void row(String kind, int step, TrainingMetrics metrics, String rate, String left) {
    if (!headed) {
      headed = true;
      boolean imitates = metrics.kind() == ExampleKind.DEMONSTRATIONS;
      cells(
          "",
          "step",
          "loss",
          imitates ? "perplexity" : "reward margin",
          metrics.kind() == ExampleKind.LABELED ? "KL" : "accuracy",
          "learning rate",
          "time left");
    }
    cells(
        kind,
        steps(step),
        ShortNumber.fixed("%.4f", metrics.loss()),
        metrics.kind() == ExampleKind.DEMONSTRATIONS
            ? ShortNumber.fixed("%.3f", Math.exp(metrics.loss()))
            : margin(metrics),
        quality(metrics),
        rate,
        left);
  }

  /** Absent where the steps of a line have examples of one label alone. */
  private static String margin(TrainingMetrics metrics) {
    return metrics.kind() == ExampleKind.LABELED && Double.isNaN(metrics.rewardsMargins())
        ? "-"
        : ShortNumber.fixed("%+.3f", metrics.rewardsMargins());
  }

  private static String quality(TrainingMetrics metrics) {
    return switch (metrics.kind()) {
      case PAIRS ->
          // Before the first update every pair is a tie, and the accuracy of 0 has no meaning.
          metrics.tied() ? "-" : ShortNumber.fixed("%.1f %%", 100 * metrics.rewardsAccuracies());
      case LABELED -> ShortNumber.fixed("%.3f", metrics.kl());
      case DEMONSTRATIONS -> ShortNumber.fixed("%.1f %%", 100 * metrics.meanTokenAccuracy());
    };
  }

  private void cells(Object... cells) {
    line(String.format(Locale.ROOT, row, cells).stripTrailing());
  }

  private String steps(int step) {
    return step + "/" + maxSteps;
  }

  private void line(String line) {
    out.println(line);
    out.flush();
  }
}
