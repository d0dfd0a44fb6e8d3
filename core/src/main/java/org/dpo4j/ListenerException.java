package org.dpo4j;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A listener of a training run threw an exception, which is the cause of this one. The weights that
 * were trained until then are saved.
 */
public class ListenerException extends DpoException {
  private static final long serialVersionUID = 1L;

  private final String listener;
  private final transient @Nullable TrainingResult result;

  /**
   * @param message what failed and where the weights are
   * @param listener {@link TrainingListener#name} of the listener
   * @param result of the run, if it saved one
   * @param cause thrown by the listener
   */
  public ListenerException(
      String message, String listener, @Nullable TrainingResult result, Throwable cause) {
    super(message, cause);
    this.listener = listener;
    this.result = result;
  }

  /**
   * The {@link TrainingListener#name} of the listener that failed.
   *
   * @return its name
   */
  public String listener() {
    return listener;
  }

  /**
   * The result that was saved; empty if no step had been done.
   *
   * @return the saved result, or empty
   */
  public Optional<TrainingResult> result() {
    return Optional.ofNullable(result);
  }
}
