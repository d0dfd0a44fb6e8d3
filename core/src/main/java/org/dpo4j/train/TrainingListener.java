package org.dpo4j.train;

/** Hears what happens while a policy is trained. All methods do nothing unless overridden. */
public interface TrainingListener {

  /** The first batch was compared with theory; called before any weight moves. */
  default void onStartCheck(StartCheck check) {}

  /**
   * A step is done; called for every step.
   *
   * @param step 1-based
   * @param pairs in this step
   * @param metrics of its forward passes
   */
  default void onStep(int step, int maxSteps, int pairs, PairMetrics metrics) {}

  /** A report is due, after every {@code loggingSteps} steps. */
  default void onReport(StepReport report) {}

  /** An evaluation is done. */
  default void onEvaluation(EvaluationReport report) {}
}
