package org.dpo4j.train;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.PairMetrics;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.logprob.TokenStatistics;
import org.dpo4j.loss.LossTerms;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/** Sums over pairs and tokens, so that means over any number of micro-batches are exact. */
final class MetricSums {

  private int pairs;
  private double largestReward;
  private double weight;
  private double loss; // of each pair times its weight
  private double rewardsChosen;
  private double rewardsRejected;
  private double correctPairs;
  private double logpsChosen;
  private double logpsRejected;
  private long chosenTokens;
  private long rejectedTokens;
  private double logitsChosen;
  private double logitsRejected;
  private double entropy;
  private double correctTokens;

  /**
   * Adds the pairs of a micro-batch.
   *
   * @param beta the scale of the rewards
   */
  void add(
      LossTerms terms,
      double beta,
      double[] weights,
      PairLogProbs policy,
      TokenStatistics statistics) {
    double[][] values = rows(terms, policy);
    for (int i = 0; i < values[0].length; i++) {
      double size = Math.max(Math.abs(values[3][i]), Math.abs(values[4][i]));
      pairs++;
      weight += weights[i];
      loss += weights[i] * values[0][i];
      rewardsChosen += values[1][i];
      rewardsRejected += values[2][i];
      correctPairs += values[1][i] - values[2][i] > beta * PairLogProbs.ROUNDING * size ? 1 : 0;
      logpsChosen += values[3][i];
      logpsRejected += values[4][i];
      largestReward =
          Math.max(
              largestReward,
              Math.max(
                  Math.abs(values[1][i]) / Math.max(1, Math.abs(values[3][i])),
                  Math.abs(values[2][i]) / Math.max(1, Math.abs(values[4][i]))));
      int chosen = 2 * i;
      int rejected = 2 * i + 1;
      chosenTokens += statistics.tokens()[chosen];
      rejectedTokens += statistics.tokens()[rejected];
      logitsChosen += statistics.logits()[chosen];
      logitsRejected += statistics.logits()[rejected];
      entropy += statistics.entropy()[chosen] + statistics.entropy()[rejected];
      correctTokens += statistics.correct()[chosen];
    }
  }

  void add(MetricSums other) {
    pairs += other.pairs;
    largestReward = Math.max(largestReward, other.largestReward);
    weight += other.weight;
    loss += other.loss;
    rewardsChosen += other.rewardsChosen;
    rewardsRejected += other.rewardsRejected;
    correctPairs += other.correctPairs;
    logpsChosen += other.logpsChosen;
    logpsRejected += other.logpsRejected;
    chosenTokens += other.chosenTokens;
    rejectedTokens += other.rejectedTokens;
    logitsChosen += other.logitsChosen;
    logitsRejected += other.logitsRejected;
    entropy += other.entropy;
    correctTokens += other.correctTokens;
  }

  /** Reads five rows of (batch) in one crossing into native code. */
  private static double[][] rows(LossTerms terms, PairLogProbs policy) {
    try (TensorScope scope = TensorScope.open()) {
      List<Tensor> rows =
          List.of(
              terms.loss().detach(),
              terms.chosenRewards(),
              terms.rejectedRewards(),
              policy.chosen().detach(),
              policy.rejected().detach());
      double[] flat =
          Tensors.toDoubles(torch.stack(new TensorVector(rows.toArray(Tensor[]::new)), 0));
      int batch = flat.length / rows.size();
      double[][] values = new double[rows.size()][batch];
      for (int row = 0; row < values.length; row++) {
        System.arraycopy(flat, row * batch, values[row], 0, batch);
      }
      return values;
    }
  }

  /** The largest |reward| of a completion, as a share of max(1, |log-probability|). */
  double largestReward() {
    return largestReward;
  }

  int pairs() {
    return pairs;
  }

  /** The means; NaN where nothing was added. */
  PairMetrics means() {
    return new PairMetrics(
        loss / weight,
        rewardsChosen / pairs,
        rewardsRejected / pairs,
        correctPairs / pairs,
        (rewardsChosen - rewardsRejected) / pairs,
        logpsChosen / pairs,
        logpsRejected / pairs,
        logitsChosen / chosenTokens,
        logitsRejected / rejectedTokens,
        entropy / (chosenTokens + rejectedTokens),
        correctTokens / chosenTokens);
  }
}
