package org.dpo4j.report;

import java.io.PrintStream;
import java.util.Map;
import java.util.stream.Collectors;
import org.dpo4j.train.EvaluationReport;
import org.dpo4j.train.StepReport;

/**
 * Prints one line per report, in the form of a Python dictionary as TRL's users know it: {@code
 * {'loss': 0.6931, 'grad_norm': 1.2, ..., 'epoch': 0.01}}. Numbers have four significant digits;
 * the files have all.
 */
public final class ConsoleReport {
  private final PrintStream out;

  public ConsoleReport(PrintStream out) {
    this.out = out;
  }

  /** The line of a logged step. */
  public void print(StepReport report) {
    print(MetricNames.of(report));
  }

  /** The line of an evaluation. */
  public void print(EvaluationReport report) {
    print(MetricNames.of(report));
  }

  /** The line of any named numbers, such as {@link Results#train()} at the end of a run. */
  public void print(Map<String, ? extends Number> named) {
    out.println(
        named.entrySet().stream()
            .map(entry -> "'" + entry.getKey() + "': " + ShortNumber.of(entry.getValue()))
            .collect(Collectors.joining(", ", "{", "}")));
    out.flush();
  }
}
