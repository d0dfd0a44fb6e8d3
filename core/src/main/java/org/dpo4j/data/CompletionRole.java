package org.dpo4j.data;

/** What a completion is to its prompt. */
public enum CompletionRole {
  /** The chosen one of a pair, a desirable one, or one to imitate. */
  CHOSEN(0),
  /** The rejected one of a pair, or an undesirable one. */
  REJECTED(1),
  /** A completion of another prompt, from which KTO estimates the KL divergence. Not trained on. */
  MISMATCHED(2);

  private final int code;

  CompletionRole(int code) {
    this.code = code;
  }

  /** Its number in files, below 8. */
  public int code() {
    return code;
  }

  /** The role of a {@link #code}. */
  public static CompletionRole of(int code) {
    return switch (code) {
      case 0 -> CHOSEN;
      case 1 -> REJECTED;
      case 2 -> MISMATCHED;
      default -> throw new IllegalArgumentException("no role has the number " + code);
    };
  }
}
