package org.dpo4j.run;

import java.util.EnumSet;
import java.util.Set;

/** A way in which a disk fails. */
enum Fault {
  /** Nothing can be added from then on; files can be renamed and deleted. */
  FULL(true, "No space left on device", Change.CREATE, Change.FOLDER, Change.WRITE),
  /** The same once, as when another program gives space back. */
  FULL_ONCE(false, "No space left on device", Change.CREATE, Change.FOLDER, Change.WRITE),
  /** Part of the bytes still fits. */
  SHORT_THEN_FULL(true, "No space left on device", Change.WRITE),
  /** Fewer bytes are written than asked for, which is no failure. */
  SHORT(false, "", Change.WRITE),
  /** What a system makes of a disk with errors: nothing can be changed from then on. */
  READ_ONLY(
      true,
      "Read-only file system",
      Change.CREATE,
      Change.OPEN,
      Change.FOLDER,
      Change.WRITE,
      Change.MOVE,
      Change.DELETE),
  DENIED(
      false,
      "permission denied",
      Change.CREATE,
      Change.OPEN,
      Change.FOLDER,
      Change.MOVE,
      Change.DELETE),
  DEVICE(false, "Input/output error", Change.WRITE, Change.FORCE, Change.TRUNCATE, Change.LOCK),
  BUSY(false, "Device or resource busy", Change.MOVE, Change.DELETE),
  /** The process ends, and the system loses what was not forced to the device. */
  DEATH(
      true,
      "",
      Change.CREATE,
      Change.OPEN,
      Change.FOLDER,
      Change.WRITE,
      Change.FORCE,
      Change.TRUNCATE,
      Change.MOVE,
      Change.DELETE,
      Change.LOCK);

  /** What a program does to a disk. */
  enum Change {
    CREATE,
    OPEN,
    FOLDER,
    WRITE,
    FORCE,
    TRUNCATE,
    MOVE,
    DELETE,
    LOCK
  }

  private final boolean lasting;
  private final String reason;

  @SuppressWarnings("ImmutableEnumChecker") // nothing changes it
  private final Set<Change> changes;

  Fault(boolean lasting, String reason, Change first, Change... others) {
    this.lasting = lasting;
    this.reason = reason;
    this.changes = EnumSet.of(first, others);
  }

  boolean lasting() {
    return lasting;
  }

  /** What a message about it says. */
  String reason() {
    return reason;
  }

  boolean affects(Change change) {
    return changes.contains(change);
  }
}
