package org.dpo4j.reference;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A file of reference log-probabilities that is not what it should be. */
public final class DamagedReferenceException extends IOException {
  private static final long serialVersionUID = 1;

  DamagedReferenceException(String reason, @Nullable Throwable cause) {
    super(reason, cause);
  }
}
