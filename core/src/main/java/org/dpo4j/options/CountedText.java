package org.dpo4j.options;

import java.util.function.Supplier;

/**
 * A text that counts how often a matcher looks at it, so that a regular expression that backtracks
 * without end fails in bounded time.
 */
public final class CountedText implements CharSequence {
  private final String text;
  private final int most;
  private final Supplier<? extends RuntimeException> failure;
  private int steps;

  /**
   * @param most number of characters that are looked at
   * @param failure thrown when a matcher wants more
   */
  public CountedText(String text, int most, Supplier<? extends RuntimeException> failure) {
    this.text = text;
    this.most = most;
    this.failure = failure;
  }

  @Override
  public char charAt(int index) {
    if (++steps > most) {
      throw failure.get();
    }
    return text.charAt(index);
  }

  @Override
  public int length() {
    return text.length();
  }

  @Override
  public CharSequence subSequence(int start, int end) {
    return text.subSequence(start, end);
  }

  @Override
  public String toString() {
    return text;
  }
}
