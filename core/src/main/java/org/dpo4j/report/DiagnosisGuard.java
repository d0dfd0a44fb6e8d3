package org.dpo4j.report;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.EvaluationReport;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.jspecify.annotations.Nullable;

/**
 * Stops a run when one of the chosen diagnoses appears in what it has logged so far. Like {@link
 * EarlyStopping} it has no state that matters: everything follows from the history.
 */
public final class DiagnosisGuard implements TrainingListener {

  /**
   * Why the run was stopped.
   *
   * @param name of the diagnosis, as the option has it
   * @param step after which it appeared
   * @param diagnosis the sentence with its numbers
   */
  public record Stop(String name, int step, String diagnosis) {}

  private final RunHistory history;
  private final List<Guard> guards;
  private final double learningRate;
  private final boolean startsAtReference;
  private @Nullable Stop stop;

  /**
   * @param history receives each event before this listener
   * @param guards the diagnoses that stop the run
   * @param learningRate the highest of the run
   * @param startsAtReference whether the rewards before the first update are to be 0
   */
  public DiagnosisGuard(
      RunHistory history, List<Guard> guards, double learningRate, boolean startsAtReference) {
    this.history = history;
    this.guards = List.copyOf(guards);
    this.learningRate = learningRate;
    this.startsAtReference = startsAtReference;
  }

  @Override
  public void onReport(StepReport report, TrainingControl control) {
    check(report.step(), control);
  }

  @Override
  public void onEvaluation(EvaluationReport report, TrainingControl control) {
    check(report.step(), control);
  }

  /**
   * Stops a run that continues from a checkpoint after which the earlier one stopped.
   *
   * @param step that was done last
   */
  public void check(int step, TrainingControl control) {
    if (stop != null) {
      return;
    }
    Map<Diagnoses.Symptom, String> found = Diagnoses.of(history, learningRate, startsAtReference);
    guards.stream()
        .filter(guard -> found.containsKey(guard.symptom()))
        .findFirst()
        .ifPresent(
            guard -> {
              stop =
                  new Stop(
                      guard.name().toLowerCase(Locale.ROOT),
                      step,
                      found.getOrDefault(guard.symptom(), ""));
              control.requestStop();
            });
  }

  /** Why this listener has stopped the run; empty if it has not. */
  public Optional<Stop> stop() {
    return Optional.ofNullable(stop);
  }
}
