package org.dpo4j.train;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.logprob.TokenStatistics;
import org.dpo4j.loss.LossTerms;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/** Reads the metrics of each example of a micro-batch from tensors and token statistics. */
final class ExampleFigures {

  private ExampleFigures() {}

  /**
   * The metrics of each pair, as sums over that pair alone.
   *
   * @param beta scale of the rewards
   * @param weights of the pairs
   */
  static List<MetricSums> of(
      LossTerms terms,
      double beta,
      double[] weights,
      PairLogProbs policy,
      TokenStatistics statistics) {
    double[][] values = rows(terms, policy);
    List<MetricSums> pairs = new ArrayList<>();
    for (int i = 0; i < weights.length; i++) {
      double loss = values[0][i];
      double rewardChosen = values[1][i];
      double rewardRejected = values[2][i];
      double logpChosen = values[3][i];
      double logpRejected = values[4][i];
      int chosen = 2 * i;
      int rejected = 2 * i + 1;
      double size = Math.max(Math.abs(logpChosen), Math.abs(logpRejected));
      pairs.add(
          new MetricSums(
              1,
              1,
              1,
              Math.max(share(rewardChosen, logpChosen), share(rewardRejected, logpRejected)),
              weights[i],
              weights[i] * loss,
              rewardChosen,
              rewardRejected,
              rewardChosen - rewardRejected > beta * PairLogProbs.ROUNDING * size ? 1 : 0,
              logpChosen,
              logpRejected,
              statistics.tokens()[chosen],
              statistics.tokens()[rejected],
              statistics.logits()[chosen],
              statistics.logits()[rejected],
              statistics.entropy()[chosen] + statistics.entropy()[rejected],
              statistics.correct()[chosen],
              0));
    }
    return pairs;
  }

  /**
   * The metrics of an example with one completion.
   *
   * @param chosen whether it is desirable, or to be imitated
   * @param sequence of the completion
   */
  static MetricSums ofCompletion(
      boolean chosen,
      double weight,
      double loss,
      double reward,
      double logProb,
      double kl,
      TokenStatistics statistics,
      int sequence) {
    int tokens = statistics.tokens()[sequence];
    double logits = statistics.logits()[sequence];
    return new MetricSums(
        1,
        chosen ? 1 : 0,
        chosen ? 0 : 1,
        share(reward, logProb),
        weight,
        weight * loss,
        chosen ? reward : 0,
        chosen ? 0 : reward,
        0,
        chosen ? logProb : 0,
        chosen ? 0 : logProb,
        chosen ? tokens : 0,
        chosen ? 0 : tokens,
        chosen ? logits : 0,
        chosen ? 0 : logits,
        statistics.entropy()[sequence],
        chosen ? statistics.correct()[sequence] : 0,
        kl);
  }

  private static double share(double reward, double logProb) {
    return Math.abs(reward) / Math.max(1, Math.abs(logProb));
  }

  /** Loss, rewards and log-probabilities, each (batch), in a single copy from native memory. */
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
}
