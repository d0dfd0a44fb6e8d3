package org.dpo4j.evaluate;

import java.util.ArrayList;
import java.util.List;

/**
 * How far the model's confidence can be believed. Under the Bradley-Terry model behind DPO
 * (Rafailov et al. 2023, arXiv 2305.18290, Eq. 1), sigma(|reward margin|) is the probability that
 * the completion with the higher reward is the better one. Pairs are sorted into bins by it.
 *
 * @param bins those with at least one pair, by confidence
 * @param error the expected calibration error: the mean distance of confidence and accuracy over
 *     the bins, weighted by pairs; Guo et al. 2017, arXiv 1706.04599, Eq. 3
 * @param logLoss the mean of -log sigma(reward margin), in nats; log 2 for no preference
 */
public record Calibration(List<Bin> bins, double error, double logLoss) {

  private static final int BINS = 10;
  private static final double LOWEST = 0.5;

  /**
   * Pairs of about the same confidence.
   *
   * @param confidence its mean, in [0.5, 1]
   * @param accuracy the share of pairs whose chosen completion has the higher reward
   */
  public record Bin(double confidence, Proportion accuracy) {}

  public Calibration {
    bins = List.copyOf(bins);
  }

  /**
   * Of pairs with a reference.
   *
   * @param beta scale of the rewards, above 0
   */
  static Calibration of(List<PairScore> pairs, double beta) {
    int[] count = new int[BINS];
    int[] correct = new int[BINS];
    double[] confidence = new double[BINS];
    double loss = 0;
    for (PairScore pair : pairs) {
      double margin = beta * pair.logRatioMargin();
      double sure = 1 / (1 + Math.exp(-Math.abs(margin)));
      int bin = Math.min(BINS - 1, (int) ((sure - LOWEST) / (1 - LOWEST) * BINS));
      count[bin]++;
      confidence[bin] += sure;
      correct[bin] += pair.rewardCorrect() ? 1 : 0;
      loss += Math.log1p(Math.exp(-Math.abs(margin))) + Math.max(0, -margin);
    }
    List<Bin> bins = new ArrayList<>();
    double error = 0;
    for (int i = 0; i < BINS; i++) {
      if (count[i] > 0) {
        Bin bin = new Bin(confidence[i] / count[i], new Proportion(correct[i], count[i]));
        bins.add(bin);
        error += count[i] * Math.abs(bin.accuracy().share() - bin.confidence());
      }
    }
    return new Calibration(bins, error / pairs.size(), loss / pairs.size());
  }

  /** How much the mean confidence is above the accuracy; negative for a cautious model. */
  public double overconfidence() {
    double sum = 0;
    int pairs = 0;
    for (Bin bin : bins) {
      sum += bin.accuracy().of() * (bin.confidence() - bin.accuracy().share());
      pairs += bin.accuracy().of();
    }
    return sum / pairs;
  }
}
