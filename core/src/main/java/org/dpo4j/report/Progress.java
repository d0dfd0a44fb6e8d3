package org.dpo4j.report;

/** Shows the progress of a long task. */
@FunctionalInterface
public interface Progress {

  /** Shows nothing. */
  Progress NONE = (task, done, total, note) -> {};

  /**
   * Called when a task begins and after each of its pieces.
   *
   * @param task name of the task, as in {@code reference}
   * @param done pieces done, in [0, total]
   * @param total pieces of the task; it is over when {@code done} equals it
   * @param note a few words about the last piece; may be empty
   */
  void update(String task, int done, int total, String note);
}
