package org.dpo4j.evaluate;

import java.util.Comparator;
import java.util.List;
import org.apache.commons.math3.stat.descriptive.rank.Median;

/**
 * Finds pairs that may be mislabelled: those whose margins, averaged over a run, stay behind. A
 * single checkpoint's margin hides a pair that the model has learnt by heart. The average over
 * training is the "area under the margin" of Pleiss et al. 2020, arXiv 2001.10528.
 */
public final class Suspicion {

  /** The median absolute deviation of a normal distribution is this part of its sigma. */
  private static final double MAD_OF_SIGMA = 0.6745;

  private static final double SMALLEST_SPREAD = 1e-9;

  private Suspicion() {}

  /**
   * A pair with its score.
   *
   * @param history of the pair after the start of training
   * @param score how many sigmas its mean margin is above the median of all pairs, with sigma
   *     estimated from the median absolute deviation; below 0 for a margin that stays behind
   */
  public record Suspect(PairHistory history, double score) {}

  /**
   * Scores the pairs of one set.
   *
   * @return all pairs with a finite mean margin, the most suspicious first
   */
  public static List<Suspect> of(List<PairHistory> pairs) {
    List<PairHistory> known =
        pairs.stream()
            .flatMap(pair -> pair.afterStart().stream())
            .filter(pair -> Double.isFinite(pair.meanMargin()))
            .toList();
    double middle = median(known);
    double spread =
        new Median()
            .evaluate(
                known.stream().mapToDouble(pair -> Math.abs(pair.meanMargin() - middle)).toArray());
    double sigma = Math.max(SMALLEST_SPREAD, spread / MAD_OF_SIGMA);
    return known.stream()
        .map(pair -> new Suspect(pair, (pair.meanMargin() - middle) / sigma))
        .sorted(Comparator.comparingDouble(Suspect::score))
        .toList();
  }

  /** The median of the mean margins; NaN without a pair. */
  public static double median(List<PairHistory> pairs) {
    return new Median().evaluate(pairs.stream().mapToDouble(PairHistory::meanMargin).toArray());
  }
}
