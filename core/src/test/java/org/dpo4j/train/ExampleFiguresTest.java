package org.dpo4j.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dpo4j.Closeness.relative;

import java.util.List;
import org.dpo4j.ExampleKind;
import org.dpo4j.TrainingMetrics;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.logprob.TokenStatistics;
import org.dpo4j.loss.LossTerms;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;

/**
 * Closes: a metric that is divided by the wrong count, or belongs to the other completion. Two
 * pairs with weights 1 and 3; every number of them is another one.
 */
class ExampleFiguresTest {

  /**
   * Tokens, entropy, logits and correct tokens by completion: chosen, rejected, chosen, rejected.
   */
  private static List<MetricSums> figures() {
    try (TensorScope scope = TensorScope.open()) {
      return ExampleFigures.of(
          new LossTerms(Tensors.doubles(0.5, 0.25), Tensors.doubles(3, -1), Tensors.doubles(1, 2)),
          0.1,
          new double[] {1, 3},
          PairLogProbs.ofSums(Tensors.doubles(-10, -20), Tensors.doubles(-30, -0.5)),
          new TokenStatistics(
              new int[] {2, 3, 4, 5},
              new double[] {1, 2, 3, 4},
              new double[] {10, 20, 30, 40},
              new double[] {1, 0, 2, 5},
              new double[4]));
    }
  }

  @Test
  void meansAreOverPairsTokensOrWeightsAsTheirNamesSay() {
    TrainingMetrics means = MetricSums.NONE.plus(figures()).means(ExampleKind.PAIRS);
    assertThat(means.loss()).isEqualTo((1 * 0.5 + 3 * 0.25) / 4);
    assertThat(means.rewardsChosen()).isEqualTo((3 - 1) / 2.0);
    assertThat(means.rewardsRejected()).isEqualTo((1 + 2) / 2.0);
    assertThat(means.rewardsMargins()).isEqualTo((2 - 3) / 2.0);
    assertThat(means.rewardsAccuracies()).isEqualTo(0.5);
    assertThat(means.logpsChosen()).isEqualTo((-10 - 20) / 2.0);
    assertThat(means.logpsRejected()).isEqualTo((-30 - 0.5) / 2.0);
    assertThat(means.logitsChosen()).usingComparator(relative(1e-14)).isEqualTo((10 + 30) / 6.0);
    assertThat(means.logitsRejected()).isEqualTo((20 + 40) / 8.0);
    assertThat(means.entropy()).usingComparator(relative(1e-14)).isEqualTo(10 / 14.0);
    assertThat(means.meanTokenAccuracy()).isEqualTo((1 + 2) / 6.0);
  }

  /** Rewards over max(1, |log-probability|): 3 / 10 and 1 / 30; 1 / 20 and 2 / 1. */
  @Test
  void theLargestRewardIsAShareOfItsLogProbability() {
    List<MetricSums> figures = figures();
    assertThat(figures.get(0).largestReward()).isEqualTo(0.3);
    assertThat(figures.get(1).largestReward()).isEqualTo(2);
    assertThat(figures.get(0).plus(figures.get(1)).largestReward()).isEqualTo(2);
    assertThat(figures.get(1).plus(figures.get(0)).examples()).isEqualTo(2);
  }
}
