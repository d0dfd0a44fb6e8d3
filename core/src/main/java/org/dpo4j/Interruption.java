package org.dpo4j;

import java.io.InterruptedIOException;
import java.nio.channels.ClosedByInterruptException;
import org.jspecify.annotations.Nullable;

/**
 * Stops work in an interrupted thread ({@link Thread#interrupt}, a cancelled future). Long tasks
 * check for an interrupt between their parts. Java's file channels also fail at once in such a
 * thread, although the file is not at fault.
 */
@Internal
public final class Interruption {

  /** The message for a failed file operation that is {@link #caused}. */
  public static final String REASON = "the thread was interrupted; the file itself is not at fault";

  private Interruption() {}

  /**
   * Throws if the calling thread is interrupted; the thread stays interrupted.
   *
   * @param where the work stands, as in {@code before step 3 of 10}
   * @throws DpoException if the thread is interrupted
   */
  public static void check(String where) {
    if (Thread.currentThread().isInterrupted()) {
      throw new DpoException(
          "the thread was interrupted " + where + "; nothing is wrong with the inputs, run again");
    }
  }

  /**
   * Whether a file operation failed, in the end, because its thread was interrupted.
   *
   * @param failure an exception, or null
   * @return whether the cause of the failure is an interrupt
   */
  public static boolean caused(@Nullable Throwable failure) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof ClosedByInterruptException || cause instanceof InterruptedIOException) {
        return true;
      }
    }
    return false;
  }
}
