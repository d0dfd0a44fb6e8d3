package org.dpo4j.survey;

/**
 * How chosen and rejected completions differ in length, as they are trained on.
 *
 * @param longer pairs whose chosen completion has more tokens
 * @param shorter pairs whose chosen completion has fewer
 * @param same the other pairs
 * @param chosen mean tokens of a chosen completion
 * @param rejected mean tokens of a rejected completion
 */
public record LengthBias(long longer, long shorter, long same, double chosen, double rejected) {
  private static final double CLEAR = 0.6;
  private static final double STRONG = 0.75;
  private static final double DEVIATIONS = 3;

  /** The share of the pairs of unequal lengths in which the more frequent side is longer. */
  public double share() {
    return (double) Math.max(longer, shorter) / (longer + shorter);
  }

  /** Whether neither side is longer in 60 % of the pairs of unequal lengths. */
  public boolean isEven() {
    return longer + shorter == 0 || share() < CLEAR;
  }

  /**
   * Whether the longer side is the same one in at least 60 % of the pairs, and by more than three
   * standard deviations of a fair coin: no chance of few pairs.
   */
  public boolean isClear() {
    long unequal = longer + shorter;
    return !isEven() && Math.abs(longer - shorter) >= DEVIATIONS * Math.sqrt((double) unequal);
  }

  /** Whether, in addition, length alone tells which answer is chosen in three of four pairs. */
  public boolean isStrong() {
    return isClear() && share() >= STRONG;
  }
}
