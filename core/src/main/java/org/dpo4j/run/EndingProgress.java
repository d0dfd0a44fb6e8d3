package org.dpo4j.run;

import org.dpo4j.EndReason;
import org.dpo4j.report.Progress;
import org.dpo4j.train.Listeners;

/** Passes progress on, and ends the work that reports it when the run is to end. */
final class EndingProgress implements Progress {

  private final Progress progress;
  private final Listeners listeners;

  /** Thrown out of the work. */
  static final class Ended extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  EndingProgress(Progress progress, Listeners listeners) {
    this.progress = progress;
    this.listeners = listeners;
  }

  @Override
  public void update(String task, int done, int total, String note) {
    progress.update(task, done, total, note);
    if (listeners.reasonToEnd() != EndReason.COMPLETED) {
      throw new Ended();
    }
  }
}
