package org.dpo4j.data;

import org.dpo4j.DpoException;

/** A row that cannot become a preference pair. Stops the run, or is counted and skipped. */
public final class BadRowException extends DpoException {
  private static final long serialVersionUID = 1L;

  private final String reason;

  /**
   * @param origin file and line of the row
   * @param reason short, and identical for all rows with this fault: rows are counted by it
   * @param detail the value found and what to do
   */
  public BadRowException(RowOrigin origin, String reason, String detail) {
    super(origin + " " + reason + (detail.isEmpty() ? "" : ": " + detail));
    this.reason = reason;
  }

  private BadRowException(BadRowException first, String more) {
    super(first.text() + more, first);
    this.reason = first.reason;
  }

  /** This failure with {@code more} appended to its message. */
  public BadRowException followedBy(String more) {
    return new BadRowException(this, more);
  }

  /**
   * The key by which rows are counted, such as {@code missing field "rejected"}; options are marked
   * ({@link org.dpo4j.OptionText}).
   */
  public String reason() {
    return reason;
  }
}
