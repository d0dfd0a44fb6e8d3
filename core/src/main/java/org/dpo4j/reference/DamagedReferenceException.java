package org.dpo4j.reference;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A file of reference log-probabilities is damaged or does not match its key. */
public final class DamagedReferenceException extends IOException {
  private static final long serialVersionUID = 1;

  DamagedReferenceException(String reason, @Nullable Throwable cause) {
    super(reason, cause);
  }
}
