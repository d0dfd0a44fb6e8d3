package org.dpo4j.train;

import java.util.List;
import org.dpo4j.Cancellation;
import org.dpo4j.DpoException;
import org.dpo4j.EndReason;
import org.dpo4j.EvaluationReport;
import org.dpo4j.Interruption;
import org.dpo4j.ListenerException;
import org.dpo4j.StartCheck;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingMetrics;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.optim.Optimizer;
import org.dpo4j.torch.Engine;
import org.dpo4j.torch.WorkerPool;
import org.jspecify.annotations.Nullable;

/**
 * The training loop: advances a {@link TrainingSession}, evaluates held-out pairs, and delivers the
 * events of steps and evaluations to listeners. The events of a run's start and end are delivered
 * by the caller.
 */
public final class Trainer {

  /**
   * The settings of a run besides data, policy and loss.
   *
   * @param plan which pairs form which step; its seed is the seed of the run
   * @param maxSteps planned optimizer steps
   * @param schedule learning rate of each step
   * @param optimizer kind of the optimizer with its constants
   * @param maxGradNorm larger gradients are scaled down to this norm; 0 for no limit
   * @param skipLimit steps that may be skipped because a number is not finite; 0 to stop at the
   *     first
   * @param loggingSteps steps that a report covers; the last report may cover fewer
   * @param computation how steps are computed
   * @param startsAtReference whether policy and reference are the same model at step 0; the first
   *     micro-batch is then compared with theory if the objective's value there is known
   */
  public record Settings(
      EpochPlan plan,
      int maxSteps,
      LearningRateSchedule schedule,
      Optimizer.Settings optimizer,
      double maxGradNorm,
      int skipLimit,
      int loggingSteps,
      Computation computation,
      boolean startsAtReference) {}

  private static final int NEVER = -1;

  private final TrainingSession session;
  private final @Nullable Evaluation evaluation;
  private final @Nullable Checkpointing checkpointing;
  private final Listeners listeners;
  private final ExampleListener examples;
  private int evaluatedStep = NEVER;
  private EndReason agreedReason = EndReason.COMPLETED;

  /** A trainer without evaluations and checkpoints. */
  public Trainer(TrainingSession session, TrainingListener... listeners) {
    this(
        session,
        null,
        null,
        new Listeners(List.of(listeners), new Cancellation()),
        ExampleListener.NONE);
  }

  /**
   * A trainer of one session.
   *
   * @param evaluation null for none
   * @param checkpointing null for none
   * @param examples receives the numbers of each pair
   */
  public Trainer(
      TrainingSession session,
      @Nullable Evaluation evaluation,
      @Nullable Checkpointing checkpointing,
      Listeners listeners,
      ExampleListener examples) {
    this.session = session;
    this.evaluation = evaluation;
    this.checkpointing = checkpointing;
    this.listeners = listeners;
    this.examples = examples;
  }

  /**
   * For a session that continues from a checkpoint.
   *
   * @param step steps done at the last evaluation before it
   */
  public void lastEvaluatedAt(int step) {
    evaluatedStep = step;
  }

  /**
   * Evaluates if the session is new, then runs all steps. The caller does the final evaluation with
   * {@link #evaluate}: the weights may still be rounded before they are saved.
   *
   * @return why the loop ended
   * @throws DpoException if the first micro-batch contradicts theory, a number is not finite, or
   *     the thread is interrupted
   * @throws ListenerException if a listener failed; the step in which it failed is complete
   */
  public EndReason train() {
    try (Engine.Threads threads = Engine.use(Engine.threads())) { // the same number to the end
      agree(); // a listener may know from a checkpoint that the run is to end
      if (session.microBatch() == 0) {
        if (session.step() == 0) {
          evaluate();
        } else if (evaluationDue() && !evaluated()) {
          afterStep(); // The run was suspended before it did this.
        }
      }
      WorkerPool.get().freeUnused(); // memory of passes without a backward pass
      while (!ended()) {
        advance();
      }
      if (!suspended()) {
        report();
      }
      session.requireFiniteWeights();
    }
    if (listeners.failure() != null) {
      throw listeners.failure();
    }
    return endReason();
  }

  /**
   * Computes the next micro-batch. The last micro-batch of a step updates the weights and delivers
   * the step's events.
   *
   * @throws DpoException as {@link #train}
   */
  public void advance() {
    if (session.microBatch() == 0) {
      Interruption.check(
          "before step %d of %d".formatted(session.step() + 1, session.settings().maxSteps()));
    }
    if (!session.accumulated()) { // a rank may have no part in a small step
      session.accumulate(this::startCheck);
    }
    if (session.accumulated()) {
      StepReport done = session.update(listeners::skipped);
      if (done != null) {
        examples.onStep(session.step(), session.epoch(), session.takePairs());
        listeners.step(done);
      }
      agree();
      boolean finalReport = ended() && !suspended();
      if (session.step() % session.settings().loggingSteps() == 0 || finalReport) {
        report();
      }
      afterStep();
    }
  }

  /**
   * Several ranks do the same: what the listeners or the cancellation of one ask for, all do.
   * Called after each event in which they may ask.
   */
  private void agree() {
    if (session.ranks().several()) {
      agreedReason = listeners.agree(session.ranks());
    }
  }

  private EndReason reasonToEnd() {
    return session.ranks().several() ? agreedReason : listeners.reasonToEnd();
  }

  /** Planned and requested evaluations and checkpoints. */
  private void afterStep() {
    Requests requests = listeners.requests();
    boolean requested = requests.takeEvaluation();
    boolean evaluated = false;
    // After the last step the caller evaluates the weights that are saved.
    if (evaluation != null && !ended() && (requested || evaluationDue())) {
      evaluate();
      evaluated = true;
      requests.takeEvaluation(); // of the weights that were just evaluated
    }
    if (checkpointing != null
        && (requests.takeCheckpoint()
            || (suspended() && checkpointing.enabled())
            || checkpointing.due(session.step(), session.epochEnded(), evaluated))) {
      listeners.checkpoint(checkpointing.save(session));
    }
    agree();
  }

  private boolean evaluationDue() {
    return evaluation != null && evaluation.due(session.step(), session.epochEnded());
  }

  /** Whether the run stops now to be continued later. */
  private boolean suspended() {
    return !completed() && reasonToEnd() == EndReason.SUSPENDED;
  }

  /** Whether all steps are done, or the run is to end after the current one. */
  private boolean ended() {
    return session.microBatch() == 0 && (completed() || endsEarly());
  }

  private boolean completed() {
    return session.step() == session.settings().maxSteps();
  }

  private boolean endsEarly() {
    return reasonToEnd() != EndReason.COMPLETED;
  }

  /** Why the loop has ended. */
  public EndReason endReason() {
    EndReason reason = reasonToEnd();
    // A stop after the last step changes nothing.
    return completed() && reason != EndReason.LISTENER_FAILED ? EndReason.COMPLETED : reason;
  }

  /** Delivers the report of the steps that none covers yet. */
  private void report() {
    if (session.reportPending()) {
      listeners.report(session.takeReport());
      agree();
    }
  }

  /** Whether {@link #evaluate} was called after the last step, or there is nothing to evaluate. */
  public boolean evaluated() {
    return evaluation == null || evaluatedStep == session.step();
  }

  /** Evaluates the policy as it is now on the held-out pairs, if there are any. */
  public void evaluate() {
    evaluate(session.step(), session.epoch());
  }

  /**
   * As above, for weights of an earlier step that have replaced the last ones.
   *
   * @param step after which the policy had these weights
   * @param epoch passes over the training examples until then
   */
  public void evaluate(int step, double epoch) {
    if (evaluation == null) {
      return;
    }
    for (Evaluation.HeldOut set : evaluation.sets()) {
      long started = System.nanoTime();
      TrainingMetrics metrics =
          set.data()
              .evaluate(
                  session.settings().computation().engine(),
                  session.policy(),
                  session.objective(),
                  evaluation.batchSize(),
                  session.ranks(),
                  pairs -> examples.onEvaluation(step, epoch, set.name(), pairs));
      listeners.evaluation(
          new EvaluationReport(
              step,
              epoch,
              set.name(),
              metrics,
              set.data().examples().size(),
              (System.nanoTime() - started) / 1e9));
    }
    evaluatedStep = session.step();
    agree();
  }

  private void startCheck(StartCheck check) {
    listeners.startCheck(check);
    if (!check.passed()) {
      throw new DpoException(
          "start check failed: policy and reference are one model, so the "
              + session.objective().loss().name()
              + " loss must be "
              + check.expected()
              + " but was "
              + check.measured()
              + " (largest log-ratio "
              + check.largestLogRatio()
              + " of a log-probability)"
              + "; nothing was trained. Please report this with the model's config.json");
    }
  }
}
