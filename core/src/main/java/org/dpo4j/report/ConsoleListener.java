package org.dpo4j.report;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.dpo4j.EvaluationReport;
import org.dpo4j.StartCheck;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingStart;

/**
 * Prints a line for each report, each evaluation and the start check of a run. If there is a start
 * check, its line comes before that of the evaluation before training, so that it does not
 * interrupt the table.
 */
public final class ConsoleListener implements TrainingListener {

  private static final long NOT_STARTED = Long.MIN_VALUE;

  private final PrintStream out;
  private final PrintStream prose;
  private final LogFormat format;
  private final int widestSet;
  private final boolean checksStart;
  private ConsoleReport console;
  private final List<EvaluationReport> waiting = new ArrayList<>();
  private long firstStepStarted = NOT_STARTED;
  private int stepsBefore; // of the run that this one continues

  /**
   * @param out receives the lines of reports and evaluations
   * @param prose receives the line of the start check
   * @param sets names of the evaluation sets
   * @param checksStart whether the run has a start check
   */
  public ConsoleListener(
      PrintStream out,
      PrintStream prose,
      LogFormat format,
      List<String> sets,
      boolean checksStart) {
    this.out = out;
    this.prose = prose;
    this.format = format;
    this.widestSet = sets.stream().mapToInt(String::length).max().orElse(0);
    this.checksStart = checksStart;
    this.console = new ConsoleReport(out, format, 0, widestSet);
  }

  /**
   * Prints the totals of {@link Results#train()}, but not in a table: the summary of the run
   * follows it.
   *
   * @param step at which the run ended
   */
  public void finish(Map<String, ? extends Number> totals, int step) {
    console.finish(totals, step);
  }

  @Override
  public void onStart(TrainingStart start) {
    console = new ConsoleReport(out, format, start.maxSteps(), widestSet);
  }

  @Override
  public void onStartCheck(StartCheck check) {
    prose.println(
        String.format(
            Locale.ROOT,
            "start check %s: initial loss %.4f (expected %.4f)",
            check.passed() ? "passed" : "failed",
            check.measured(),
            check.expected()));
    waiting.forEach(console::print);
    waiting.clear();
  }

  @Override
  public void onStep(StepReport step, TrainingControl control) {
    if (firstStepStarted == NOT_STARTED) {
      firstStepStarted = System.nanoTime() - (long) (step.stepSeconds() * 1e9);
      stepsBefore = step.step() - 1;
    }
  }

  @Override
  public void onReport(StepReport report, TrainingControl control) {
    double seconds = (System.nanoTime() - firstStepStarted) / 1e9;
    double perStep = seconds / (report.step() - stepsBefore);
    console.print(report, perStep * (report.maxSteps() - report.step()));
  }

  @Override
  public void onEvaluation(EvaluationReport report, TrainingControl control) {
    if (report.step() == 0 && checksStart) {
      waiting.add(report);
    } else {
      console.print(report);
    }
  }
}
