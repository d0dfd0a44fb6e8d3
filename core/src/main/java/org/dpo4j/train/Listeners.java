package org.dpo4j.train;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.dpo4j.Cancellation;
import org.dpo4j.EndReason;
import org.dpo4j.EvaluationReport;
import org.dpo4j.ListenerException;
import org.dpo4j.SavedCheckpoint;
import org.dpo4j.SkippedStep;
import org.dpo4j.StartCheck;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingResult;
import org.dpo4j.TrainingStart;
import org.dpo4j.ranks.Ranks;
import org.jspecify.annotations.Nullable;

/**
 * The listeners of one run. Delivers each event to all of them in order, collects their requests,
 * and keeps the first exception of a listener. That listener receives no further event.
 */
public final class Listeners {

  private final List<TrainingListener> active;
  private final Cancellation cancellation;
  private final Requests requests = new Requests();
  private @Nullable ListenerException failure;

  /**
   * @param listeners in the order of delivery
   * @param cancellation ends the run from another thread
   */
  public Listeners(List<? extends TrainingListener> listeners, Cancellation cancellation) {
    this.active = new ArrayList<>(listeners);
    this.cancellation = cancellation;
  }

  /** Delivers {@link TrainingListener#onStart}. */
  public void start(TrainingStart start) {
    deliver("onStart", listener -> listener.onStart(start));
  }

  void startCheck(StartCheck check) {
    deliver("onStartCheck", listener -> listener.onStartCheck(check));
  }

  void step(StepReport step) {
    deliver("onStep of step " + step.step(), listener -> listener.onStep(step, requests));
  }

  void skipped(SkippedStep step) {
    deliver(
        "onSkippedStep of step " + step.step(), listener -> listener.onSkippedStep(step, requests));
  }

  void report(StepReport report) {
    deliver("onReport of step " + report.step(), listener -> listener.onReport(report, requests));
  }

  void evaluation(EvaluationReport report) {
    deliver(
        "onEvaluation of step " + report.step(),
        listener -> listener.onEvaluation(report, requests));
  }

  void checkpoint(SavedCheckpoint saved) {
    deliver("onCheckpoint of step " + saved.step(), listener -> listener.onCheckpoint(saved));
  }

  /** Delivers {@link TrainingListener#onEnd}. */
  public void end(TrainingResult result) {
    deliver("onEnd", listener -> listener.onEnd(result));
  }

  /** Delivers {@link TrainingListener#onFailure}; exceptions of listeners are added to it. */
  public void failed(Throwable thrown) {
    for (TrainingListener listener : List.copyOf(active)) {
      try {
        listener.onFailure(thrown);
      } catch (RuntimeException | Error e) {
        thrown.addSuppressed(e);
      }
    }
  }

  private void deliver(String event, Consumer<TrainingListener> call) {
    for (TrainingListener listener : List.copyOf(active)) {
      try {
        call.accept(listener);
      } catch (RuntimeException | Error e) {
        active.remove(listener);
        if (failure == null) {
          failure =
              new ListenerException(
                  "the listener %s failed in %s: %s".formatted(listener.name(), event, e),
                  listener.name(),
                  null,
                  e);
        } else {
          failure.addSuppressed(e);
        }
      }
    }
  }

  Requests requests() {
    return requests;
  }

  /** What can be requested of the run. */
  public TrainingControl control() {
    return requests;
  }

  /** The first exception of a listener; null if none has failed. */
  public @Nullable ListenerException failure() {
    return failure;
  }

  /** Reasons to end, the first that holds on any rank first. */
  private static final List<EndReason> REASONS =
      List.of(
          EndReason.LISTENER_FAILED,
          EndReason.STOPPED_BY_LISTENER,
          EndReason.SUSPENDED,
          EndReason.CANCELLED);

  /**
   * Makes the requests of one rank those of all.
   *
   * @return why the run is to end, the same on all ranks; {@code COMPLETED} if it is not
   */
  public EndReason agree(Ranks ranks) {
    if (!ranks.several()) {
      return reasonToEnd();
    }
    int others = REASONS.size();
    double[] wanted = new double[others + 2];
    EndReason own = reasonToEnd();
    if (own != EndReason.COMPLETED) {
      wanted[REASONS.indexOf(own)] = 1;
    }
    wanted[others] = requests.evaluation() ? 1 : 0;
    wanted[others + 1] = requests.checkpoint() ? 1 : 0;
    double[] all = ranks.sum(wanted);
    if (all[others] > 0) {
      requests.requestEvaluation();
    }
    if (all[others + 1] > 0) {
      requests.requestCheckpoint();
    }
    for (int i = 0; i < others; i++) {
      if (all[i] > 0) {
        return REASONS.get(i);
      }
    }
    return EndReason.COMPLETED;
  }

  /** Why the run is to end before its last step; {@code COMPLETED} if it is not. */
  public EndReason reasonToEnd() {
    if (failure != null) {
      return EndReason.LISTENER_FAILED;
    }
    if (requests.stop()) {
      return EndReason.STOPPED_BY_LISTENER;
    }
    if (cancellation.isSuspended()) {
      return EndReason.SUSPENDED;
    }
    return cancellation.isCancelled() ? EndReason.CANCELLED : EndReason.COMPLETED;
  }
}
