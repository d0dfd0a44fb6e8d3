package org.dpo4j.checkpoint;

import java.nio.file.Path;
import org.dpo4j.DpoException;

/** A checkpoint that cannot be trusted: a file is missing, cut off, or has other bytes. */
public final class DamagedCheckpointException extends DpoException {

  private static final long serialVersionUID = 1L;

  private final String damage;

  public DamagedCheckpointException(Path folder, String damage) {
    super("[" + folder + "] the checkpoint is damaged: " + damage);
    this.damage = damage;
  }

  /** What is wrong, without the folder. */
  public String damage() {
    return damage;
  }
}
