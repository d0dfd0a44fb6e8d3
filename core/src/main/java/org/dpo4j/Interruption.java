package org.dpo4j;

import java.io.InterruptedIOException;
import java.nio.channels.ClosedByInterruptException;
import org.jspecify.annotations.Nullable;

/**
 * An interrupted thread ({@link Thread#interrupt}, a cancelled future) is to stop. Long work looks
 * for it between its parts; Java's file channels, too, fail at once in such a thread, which says
 * nothing about the file.
 */
@Internal
public final class Interruption {

  /** What to tell of a failed file operation that is {@link #caused}. */
  public static final String REASON = "the thread was interrupted; the file itself is not at fault";

  private Interruption() {}

  /**
   * Stops the calling thread if it is interrupted; it stays so.
   *
   * @param where the work stands, as in {@code before step 3 of 10}
   * @throws DpoException if it is
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
