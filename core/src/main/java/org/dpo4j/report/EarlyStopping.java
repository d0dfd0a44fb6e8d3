package org.dpo4j.report;

import org.dpo4j.EvaluationReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;

/**
 * Stops a run when the held-out metric has not improved for some evaluations, as transformers'
 * {@code EarlyStoppingCallback}. It has no state of its own: everything follows from the history.
 */
public final class EarlyStopping implements TrainingListener {

  private final RunHistory history;
  private final BestMetric metric;
  private final int patience;
  private final double threshold;
  private boolean stopped;

  /**
   * @param history receives each evaluation before this listener
   * @param patience evaluations without improvement, at least 1
   * @param threshold smallest difference that is an improvement
   */
  public EarlyStopping(RunHistory history, BestMetric metric, int patience, double threshold) {
    this.history = history;
    this.metric = metric;
    this.patience = patience;
    this.threshold = threshold;
  }

  @Override
  public void onEvaluation(EvaluationReport report, TrainingControl control) {
    check(control);
  }

  /** Stops a run that continues from a checkpoint after which the earlier one stopped. */
  public void check(TrainingControl control) {
    if (metric.sinceImprovement(history.evaluations(), threshold) >= patience) {
      stopped = true;
      control.requestStop();
    }
  }

  /** Whether this listener has stopped the run. */
  public boolean stopped() {
    return stopped;
  }
}
