package org.dpo4j.report;

import org.dpo4j.EvaluationReport;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingStart;

/** Shows the steps of a run on a progress bar. */
public final class ProgressListener implements TrainingListener {
  private static final String TASK = "training";

  private final Progress progress;
  private int maxSteps;

  /** Shows steps on the given bar. */
  public ProgressListener(Progress progress) {
    this.progress = progress;
  }

  @Override
  public void onStart(TrainingStart start) {
    maxSteps = start.maxSteps();
  }

  @Override
  public void onEvaluation(EvaluationReport report, TrainingControl control) {
    if (report.step() == 0) {
      progress.update(TASK, 0, maxSteps, "");
    }
  }

  @Override
  public void onStep(StepReport step, TrainingControl control) {
    progress.update(
        TASK,
        step.step(),
        step.maxSteps(),
        "loss %s margin %s"
            .formatted(
                ShortNumber.fixed("%.4f", step.metrics().loss()),
                ShortNumber.fixed("%+.3f", step.metrics().rewardsMargins())));
  }
}
