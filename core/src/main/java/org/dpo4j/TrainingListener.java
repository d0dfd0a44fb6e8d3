package org.dpo4j;

/**
 * Receives the events of a training run. Override the methods you need; each does nothing by
 * default.
 *
 * <p>A run may have any number of listeners. Every event is delivered to all of them, in the order
 * in which they were added, on the thread that trains: the next step begins when the last listener
 * has returned. The events of a run are, in this order:
 *
 * <pre>
 *   onStart
 *   onEvaluation (step 0)                          with held-out pairs
 *   for each step:
 *     onStartCheck                                 in the first step, where theory gives the loss
 *     onStep, or onSkippedStep
 *     onReport                                     every logging_steps steps and after the last one
 *     onEvaluation                                 when due or requested
 *     onCheckpoint                                 when one was due or requested
 *   onEvaluation (final weights)                   with held-out pairs
 *   onEnd, or onFailure
 * </pre>
 *
 * <p>A listener that throws stops the run after the current step. The weights trained so far are
 * saved as after a requested stop, and the run then throws a {@link ListenerException} that names
 * the listener. The failed listener receives no further event.
 */
public interface TrainingListener {

  /**
   * Name of this listener in error messages; the class name by default.
   *
   * @return the name
   */
  default String name() {
    return getClass().getName();
  }

  /**
   * Model and pairs are loaded; the reference log-probabilities and the first step come next.
   *
   * @param start what will run, with its sizes
   */
  default void onStart(TrainingStart start) {}

  /**
   * The first micro-batch was compared with theory, before any weight changes. If the check did not
   * pass, the run fails.
   *
   * @param check the measured and the expected loss
   */
  default void onStartCheck(StartCheck check) {}

  /**
   * A step is done; called for every step that was not skipped.
   *
   * @param step covers this step alone
   * @param control requests for what happens after this step
   */
  default void onStep(StepReport step, TrainingControl control) {}

  /**
   * A step was skipped because a number was not finite, which {@code on_nan} allows.
   *
   * @param step the rows, and how many steps were skipped
   * @param control requests for what happens after this step
   */
  default void onSkippedStep(SkippedStep step, TrainingControl control) {}

  /**
   * A logging interval is over.
   *
   * @param report covers all steps since the previous report
   * @param control requests for what happens after this step
   */
  default void onReport(StepReport report, TrainingControl control) {}

  /**
   * An evaluation on the held-out pairs is done.
   *
   * @param control requests for what happens next; a request for another evaluation at the same
   *     step is ignored
   * @param report of the held-out pairs
   */
  default void onEvaluation(EvaluationReport report, TrainingControl control) {}

  /**
   * A checkpoint was saved. Called between two steps, after the step's evaluation; no weight
   * changes during the call.
   *
   * @param saved step and folder
   */
  default void onCheckpoint(SavedCheckpoint saved) {}

  /**
   * The run is over and its output folder is complete.
   *
   * @param result of the run
   */
  default void onEnd(TrainingResult result) {}

  /**
   * The run failed; {@code run} throws this exception after all listeners have returned.
   *
   * @param failure a {@link ListenerException} if another listener failed
   */
  default void onFailure(Throwable failure) {}
}
