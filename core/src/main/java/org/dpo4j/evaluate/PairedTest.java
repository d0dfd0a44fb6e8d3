package org.dpo4j.evaluate;

import org.apache.commons.math3.stat.inference.AlternativeHypothesis;
import org.apache.commons.math3.stat.inference.BinomialTest;

/**
 * Whether one model is right on more pairs than another, tested on the same pairs.
 *
 * @param pairs that both were scored on
 * @param gained pairs that only the new model is right on
 * @param lost pairs that only the old model is right on
 */
public record PairedTest(int pairs, int gained, int lost) {

  private static final double Z95 = 1.959963984540054;
  private static final double LARGEST_P = 0.05;

  /** 2 / 2^6 is the first p below 0.05. */
  private static final int FEWEST_CHANGES = 6;

  public PairedTest {
    if (gained < 0 || lost < 0 || gained + lost > pairs) {
      throw new IllegalArgumentException(
          "%d gained and %d lost are not among %d pairs".formatted(gained, lost, pairs));
    }
  }

  /**
   * Compares two models pair by pair.
   *
   * @param before whether the old model is right, of each pair
   * @param after the same of the new model, same length
   */
  public static PairedTest of(boolean[] before, boolean[] after) {
    if (before.length != after.length) {
      throw new IllegalArgumentException("the models must be compared on the same pairs");
    }
    int gained = 0;
    int lost = 0;
    for (int i = 0; i < before.length; i++) {
      gained += after[i] && !before[i] ? 1 : 0;
      lost += before[i] && !after[i] ? 1 : 0;
    }
    return new PairedTest(before.length, gained, lost);
  }

  /** The share of the new model minus that of the old one. */
  public double difference() {
    return (double) (gained - lost) / pairs;
  }

  /** The lower end of the 95 % interval of the difference (Bonett and Price 2012). */
  public double low() {
    return center() - halfWidth();
  }

  /** The upper end of the same interval. */
  public double high() {
    return center() + halfWidth();
  }

  private double center() {
    return (double) (gained - lost) / (pairs + 2);
  }

  private double halfWidth() {
    double gain = (gained + 1.0) / (pairs + 2);
    double loss = (lost + 1.0) / (pairs + 2);
    return Z95 * Math.sqrt((gain + loss - (gain - loss) * (gain - loss)) / (pairs + 2));
  }

  /**
   * The two-sided p-value of McNemar's exact test: how likely so uneven a split of the changed
   * pairs is if neither model is better; 1 if no pair changed.
   */
  public double p() {
    return gained + lost == 0
        ? 1
        : Math.min(
            1,
            new BinomialTest()
                .binomialTest(gained + lost, gained, 0.5, AlternativeHypothesis.TWO_SIDED));
  }

  /** Whether the difference is unlikely to be chance. */
  public boolean real() {
    return p() < LARGEST_P;
  }

  /**
   * About the smallest difference that this many pairs could tell from chance, a share: at least
   * {@value #FEWEST_CHANGES} pairs must change, all in one direction.
   */
  public double smallestVisible() {
    return Math.min(1, Math.max(halfWidth(), (double) FEWEST_CHANGES / pairs));
  }
}
