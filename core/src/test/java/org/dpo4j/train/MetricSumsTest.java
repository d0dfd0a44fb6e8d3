package org.dpo4j.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.dpo4j.ExampleKind;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.logprob.TokenStatistics;
import org.dpo4j.loss.LossTerms;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Closes: an accuracy that rounding decides. */
class MetricSumsTest {

  /** Near 240 neighbouring fp32 numbers are 2^-16 = 1.5e-5 apart; four of them are 6.1e-5. */
  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "1.5e-5, 0",
    "3.1e-5, 0",
    "-1, 0",
    "2.5e-4, 1",
    "1, 1",
  })
  void aMarginThatRoundingCanMakeIsATie(double logRatioMargin, double accuracy) {
    double beta = 0.3;
    try (TensorScope scope = TensorScope.open()) {
      List<MetricSums> figures =
          ExampleFigures.of(
              new LossTerms(
                  Tensors.doubles(0.5), Tensors.doubles(beta * logRatioMargin), Tensors.doubles(0)),
              beta,
              new double[] {1},
              PairLogProbs.ofSums(Tensors.doubles(-240), Tensors.doubles(-200)),
              new TokenStatistics(
                  new int[] {1, 1}, new double[2], new double[2], new double[2], new double[2]));
      assertThat(MetricSums.NONE.plus(figures).means(ExampleKind.PAIRS).rewardsAccuracies())
          .isEqualTo(accuracy);
    }
  }

  /** Numbers of one example that are all different. */
  private static MetricSums sums(double loss, double chosen, double rejected, double[] logProbs) {
    return new MetricSums(
        1, 1, 1, 0, 1, loss, chosen, rejected, 1, logProbs[0], logProbs[1], 2, 3, 4, 5, 6, 1, 7);
  }

  @Test
  void sumsAreFiniteIfEachOfTheirNumbersIs() {
    double[] fine = {-1, -2};
    assertThat(sums(1, 2, 3, fine).finite()).isTrue();
    for (double bad : new double[] {Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThat(sums(bad, 2, 3, fine).finite()).isFalse();
      assertThat(sums(1, bad, 3, fine).finite()).isFalse();
      assertThat(sums(1, 2, bad, fine).finite()).isFalse();
      assertThat(sums(1, 2, 3, new double[] {bad, -2}).finite()).isFalse();
      assertThat(sums(1, 2, 3, new double[] {-1, bad}).finite()).isFalse();
    }
  }

  /** A sum of two is twice the sum of one, but for the largest reward. */
  @Test
  void allNumbersAddUp() {
    MetricSums one = new MetricSums(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18);
    assertThat(one.plus(one))
        .isEqualTo(
            new MetricSums(2, 4, 6, 4, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36));
    assertThat(MetricSums.NONE.plus(one)).isEqualTo(one);
    assertThat(one.toArray()).hasSize(MetricSums.FIELDS);
    assertThat(MetricSums.of(one.toArray(), 0)).isEqualTo(one);
    assertThat(MetricSums.ofNothing(3).plus(one).examples()).isEqualTo(4);
  }

  @Test
  void onlyPairsHaveAccuraciesAndOnlyLabelledExamplesAKlEstimate() {
    MetricSums two =
        sums(1, 8, 3, new double[] {-1, -2}).plus(sums(2, 4, 1, new double[] {-3, -4}));
    assertThat(two.means(ExampleKind.PAIRS).rewardsAccuracies()).isEqualTo(1);
    assertThat(two.means(ExampleKind.PAIRS).rewardsMargins()).isEqualTo(4);
    assertThat(two.means(ExampleKind.PAIRS).kl()).isNaN();
    assertThat(two.means(ExampleKind.LABELED).rewardsAccuracies()).isNaN();
    assertThat(two.means(ExampleKind.LABELED).rewardsMargins()).isEqualTo(6 - 2);
    assertThat(two.means(ExampleKind.LABELED).kl()).isEqualTo(7);
    assertThat(two.means(ExampleKind.DEMONSTRATIONS).kl()).isNaN();
  }

  /** Nothing was measured, or nothing could be learned: there is no loss, or it is 0. */
  @Test
  void theLossOfNothingIsNoNumberAndOfNothingToLearnZero() {
    assertThat(MetricSums.NONE.means(ExampleKind.DEMONSTRATIONS).loss()).isNaN();
    assertThat(MetricSums.ofNothing(2).means(ExampleKind.DEMONSTRATIONS).loss()).isZero();
  }
}
