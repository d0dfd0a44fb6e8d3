package org.dpo4j.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.dpo4j.ExampleKind;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.logprob.TokenStatistics;
import org.dpo4j.loss.LossTerms;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
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
}
