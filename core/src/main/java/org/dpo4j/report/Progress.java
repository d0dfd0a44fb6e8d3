package org.dpo4j.report;

/** Hears how far a long task is. */
@FunctionalInterface
public interface Progress {

  /** Says nothing. */
  Progress NONE = (task, done, total, note) -> {};

  /**
   * Called when a task begins and after each of its pieces.
   *
   * @param task what is being done, as in {@code reference}
   * @param done pieces done
   * @param total pieces in all; the task is over when done equals it
   * @param note a few words about the newest piece; may be empty
   */
  void update(String task, int done, int total, String note);
}
