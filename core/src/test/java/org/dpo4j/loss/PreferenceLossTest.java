package org.dpo4j.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.Closeness.relative;

import java.util.List;
import java.util.function.DoubleFunction;
import org.dpo4j.UsageException;
import org.dpo4j.loss.LossProbe.Pair;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes: a wrong sign, factor or term in a loss or its gradient, which a run would not show but
 * train with. Values are compared with numbers worked out by hand, gradients with formulas derived
 * by hand and with central differences; everything is in double precision.
 *
 * <p>The two pairs of the table have beta = 0.25, so 1/(2 beta) = 2:
 *
 * <pre>
 *   Delta_w  Delta_l  |y_w|  |y_l|      h         z = h/4    a = Delta_w/|y_w| - Delta_l/|y_l|
 *      2       -3       4      1     2+3 =  5      1.25       0.5 + 3    =  3.5
 *     -1        1       2      4    -1-1 = -2     -0.5       -0.5 - 0.25 = -0.75
 *
 *   sigmoid       ln(1 + e^-z)          ln(1 + e^-1.25) = 0.251929    ln(1 + e^0.5) = 0.974077
 *   smoothed 0.1  that + 0.1 z          0.251929 + 0.125 = 0.376929   0.974077 - 0.05 = 0.924077
 *   hinge         max(0, 1 - z)         0                             1.5
 *   ipo           (a - 2)^2             1.5^2 = 2.25                  2.75^2 = 7.5625
 *   ipo_sum       (h - 2)^2             3^2 = 9                       4^2 = 16
 *   unit_margin   (z - 1)^2             0.25^2 = 0.0625               1.5^2 = 2.25
 *   sigmoid_norm  ln(1 + e^(-a/4))      ln(1 + e^-0.875) = 0.348445   ln(1 + e^0.1875) = 0.791285
 * </pre>
 *
 * Smoothing: -(1-s) log sigma(z) - s log sigma(-z) = -log sigma(z) + s z, for log sigma(-z) = log
 * sigma(z) - z.
 */
class PreferenceLossTest {

  private static final double BETA = 0.25;
  private static final Pair FIRST = Pair.ofRatios(2, -3, 4, 1);
  private static final Pair SECOND = Pair.ofRatios(-1, 1, 2, 4);

  static List<PreferenceLoss> losses() {
    return losses(BETA);
  }

  private static List<PreferenceLoss> losses(double beta) {
    return List.of(
        new SigmoidLoss(beta),
        new SigmoidLoss(beta, 0.1),
        new SigmoidLoss(beta, 0.5),
        new HingeLoss(beta),
        new IpoLoss(beta),
        new IpoSumLoss(beta),
        new UnitMarginLoss(beta),
        new SigmoidNormLoss(beta, 0),
        new SigmoidNormLoss(beta, 0.1));
  }

  /** dL/dlog pi(y_w) and dL/dlog pi(y_l), each derived by hand from the loss's formula. */
  private static double[] gradient(PreferenceLoss loss, Pair pair) {
    double beta = loss.beta();
    double ratioChosen = pair.chosen() - pair.refChosen();
    double ratioRejected = pair.rejected() - pair.refRejected();
    double h = ratioChosen - ratioRejected;
    double a = ratioChosen / pair.chosenTokens() - ratioRejected / pair.rejectedTokens();
    if (loss instanceof SigmoidLoss sigmoid) {
      double slope = beta * logisticSlope(beta * h, sigmoid.labelSmoothing());
      return new double[] {slope, -slope};
    } else if (loss instanceof HingeLoss) {
      double slope = beta * h < 1 ? -beta : 0;
      return new double[] {slope, -slope};
    } else if (loss instanceof IpoLoss) {
      double slope = 2 * (a - 1 / (2 * beta));
      return new double[] {slope / pair.chosenTokens(), -slope / pair.rejectedTokens()};
    } else if (loss instanceof IpoSumLoss) {
      double slope = 2 * (h - 1 / (2 * beta));
      return new double[] {slope, -slope};
    } else if (loss instanceof UnitMarginLoss) {
      double slope = 2 * beta * (beta * h - 1);
      return new double[] {slope, -slope};
    } else if (loss instanceof SigmoidNormLoss norm) {
      double slope = beta * logisticSlope(beta * a, norm.labelSmoothing());
      return new double[] {slope / pair.chosenTokens(), -slope / pair.rejectedTokens()};
    }
    throw new AssertionError("no derivation for " + loss);
  }

  /** d/dz of -(1-s) log sigma(z) - s log sigma(-z): -(1-s) sigma(-z) + s sigma(z). */
  private static double logisticSlope(double z, double smoothing) {
    return -(1 - smoothing) * sigma(-z) + smoothing * sigma(z);
  }

  private static double sigma(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0.251929, 0.974077", // sigmoid
    "1, 0.376929, 0.924077", // sigmoid smoothed by 0.1
    "3, 0, 1.5", // hinge
    "4, 2.25, 7.5625", // ipo
    "5, 9, 16", // ipo_sum
    "6, 0.0625, 2.25", // unit_margin
    "7, 0.348445, 0.791285" // sigmoid_norm
  })
  void valuesAreThoseWorkedOutByHand(int number, double first, double second) {
    PreferenceLoss loss = losses().get(number);
    assertThat(LossProbe.of(loss, FIRST).loss())
        .as("%s", loss)
        .usingComparator(relative(1e-6))
        .isEqualTo(first);
    assertThat(LossProbe.of(loss, SECOND).loss())
        .as("%s", loss)
        .usingComparator(relative(1e-6))
        .isEqualTo(second);
  }

  @ParameterizedTest
  @MethodSource("losses")
  void rewardMarginIsBetaTimesTheSummedLogRatioMarginInEveryLoss(PreferenceLoss loss) {
    assertThat(LossProbe.of(loss, FIRST).rewardMargin())
        .usingComparator(relative(1e-12))
        .isEqualTo(1.25);
    assertThat(LossProbe.of(loss, SECOND).rewardMargin())
        .usingComparator(relative(1e-12))
        .isEqualTo(-0.5);
  }

  @ParameterizedTest
  @MethodSource("losses")
  void gradientsAreThoseDerivedByHand(PreferenceLoss loss) {
    for (double h : new double[] {-300, -40, -7.3, -1, -0.1, 0, 0.1, 1, 3.3, 7.3, 40, 300}) {
      for (int tokens : new int[] {1, 3}) {
        Pair pair = Pair.ofRatios(0.25 * h, -0.75 * h, tokens, 2);
        double[] expected = gradient(loss, pair);
        LossProbe probe = LossProbe.of(loss, pair);
        assertThat(probe.chosenGradient()).usingComparator(relative(1e-10)).isEqualTo(expected[0]);
        assertThat(probe.rejectedGradient())
            .usingComparator(relative(1e-10))
            .isEqualTo(expected[1]);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("losses")
  void gradientsAreThoseOfCentralDifferences(PreferenceLoss loss) {
    double e = 1e-5;
    // not at a margin of 1/beta = 4, where the hinge has its kink
    for (double h : new double[] {-30, -5, -1, 0, 0.5, 2, 5, 9}) {
      Pair pair = Pair.ofRatios(0.25 * h, -0.75 * h, 3, 2);
      LossProbe probe = LossProbe.of(loss, pair);
      assertThat(probe.chosenGradient())
          .usingComparator(relative(1e-6))
          .isEqualTo((moved(loss, pair, e, 0) - moved(loss, pair, -e, 0)) / (2 * e));
      assertThat(probe.rejectedGradient())
          .usingComparator(relative(1e-6))
          .isEqualTo((moved(loss, pair, 0, e) - moved(loss, pair, 0, -e)) / (2 * e));
    }
  }

  private static double moved(PreferenceLoss loss, Pair pair, double byChosen, double byRejected) {
    return LossProbe.of(loss, pair.withPolicyMovedBy(byChosen, byRejected)).loss();
  }

  /** dL/dlog pi(y_w) = -beta (1 - sigma(z)), never above 0; the mirror image for y_l. */
  @ParameterizedTest
  @ValueSource(doubles = {0.01, 0.1, 0.5, 2})
  void theGradientIdentityOfDpoHoldsForAllMargins(double beta) {
    SigmoidLoss loss = new SigmoidLoss(beta);
    for (int i = -120; i <= 120; i++) {
      double z = i / 4.0; // -30 to 30
      LossProbe probe = LossProbe.of(loss, Pair.ofMargin(z / beta));
      double expected = -beta * sigma(-z); // 1 - sigma(z) without cancellation
      assertThat(probe.chosenGradient()).usingComparator(relative(1e-12)).isEqualTo(expected);
      assertThat(probe.rejectedGradient()).usingComparator(relative(1e-12)).isEqualTo(-expected);
      assertThat(probe.chosenGradient()).isLessThan(0);
    }
    for (double z : new double[] {-1e4, -750, 750, 1e4}) {
      LossProbe probe = LossProbe.of(loss, Pair.ofMargin(z / beta));
      assertThat(probe.chosenGradient()).isBetween(-beta, 0.0);
      assertThat(probe.rejectedGradient()).isBetween(0.0, beta);
    }
  }

  @ParameterizedTest
  @MethodSource("losses")
  void nothingOverflowsAtHugeMargins(PreferenceLoss loss) {
    for (double z : new double[] {-1e4, 1e4}) {
      LossProbe probe = LossProbe.of(loss, Pair.ofMargin(z / BETA));
      assertThat(probe.loss()).isFinite();
      assertThat(probe.chosenGradient()).isFinite();
      assertThat(probe.rejectedGradient()).isFinite();
    }
  }

  @Test
  void zeroMarginIsLn2() {
    for (PreferenceLoss loss :
        List.of(
            new SigmoidLoss(BETA), new SigmoidLoss(BETA, 0.3), new SigmoidNormLoss(BETA, 0.1))) {
      assertThat(LossProbe.of(loss, Pair.ofMargin(0)).loss())
          .usingComparator(relative(1e-15))
          .isEqualTo(0.6931471805599453);
    }
  }

  /** It is what every run's first batch is compared with. */
  @ParameterizedTest
  @ValueSource(doubles = {0.01, 0.1, 0.25, 3})
  void theValueAtZeroIsTheMeasuredOne(double beta) {
    for (PreferenceLoss loss : losses(beta)) {
      assertThat(LossProbe.of(loss, Pair.ofRatios(0, 0, 3, 7)).loss())
          .as("%s", loss)
          .usingComparator(relative(1e-9))
          .isEqualTo(loss.valueAtZero().orElseThrow());
    }
  }

  /** -log sigma(z) + log sigma(-z) = -z. */
  @Test
  void swappingAPairMirrors() {
    SigmoidLoss loss = new SigmoidLoss(BETA);
    for (double h : new double[] {-50, -5, -0.3, 0, 0.3, 5, 50}) {
      Pair pair = Pair.ofRatios(0.25 * h, -0.75 * h, 2, 5);
      LossProbe straight = LossProbe.of(loss, pair);
      LossProbe swapped = LossProbe.of(loss, pair.swapped());
      assertThat(swapped.rewardMargin())
          .usingComparator(relative(1e-12))
          .isEqualTo(-straight.rewardMargin());
      assertThat(straight.loss() - swapped.loss())
          .usingComparator(relative(1e-12))
          .isEqualTo(-straight.rewardMargin());
    }
  }

  @Test
  void labelSmoothingOfOneHalfCannotTellChosenFromRejected() {
    for (PreferenceLoss loss :
        List.of(new SigmoidLoss(BETA, 0.5), new SigmoidNormLoss(BETA, 0.5))) {
      assertThat(LossProbe.of(loss, FIRST).loss())
          .usingComparator(relative(1e-12))
          .isEqualTo(LossProbe.of(loss, FIRST.swapped()).loss());
    }
  }

  /** A constant of the reference cancels; in averages, where both lengths are equal. */
  @ParameterizedTest
  @MethodSource("losses")
  void shiftingBothReferenceTermsChangesNothing(PreferenceLoss loss) {
    Pair pair = Pair.ofRatios(1.5, -0.5, 3, 3);
    LossProbe before = LossProbe.of(loss, pair);
    LossProbe after = LossProbe.of(loss, pair.withReferenceShiftedBy(64));
    assertThat(after.loss()).usingComparator(relative(1e-9)).isEqualTo(before.loss());
    assertThat(after.chosenGradient())
        .usingComparator(relative(1e-9))
        .isEqualTo(before.chosenGradient());
    assertThat(after.rewardMargin())
        .usingComparator(relative(1e-9))
        .isEqualTo(before.rewardMargin());
  }

  /** beta^2 (h - 1/beta)^2 with tau = beta/2, so 1/(2 tau) = 1/beta. */
  @Test
  void theExercisesLossIsIpoWithHalfTheBetaTimesBetaSquared() {
    for (double h : new double[] {-12, -1, 0, 2, 4, 11}) {
      Pair pair = Pair.ofMargin(h);
      assertThat(LossProbe.of(new UnitMarginLoss(BETA), pair).loss())
          .usingComparator(relative(1e-10))
          .isEqualTo(BETA * BETA * LossProbe.of(new IpoSumLoss(BETA / 2), pair).loss());
    }
  }

  @Test
  void averagingOverOneTokenIsSumming() {
    for (double h : new double[] {-12, -1, 0, 2, 11}) {
      Pair pair = Pair.ofMargin(h);
      assertThat(LossProbe.of(new IpoLoss(BETA), pair))
          .isEqualTo(LossProbe.of(new IpoSumLoss(BETA), pair));
      assertThat(LossProbe.of(new SigmoidNormLoss(BETA, 0.1), pair))
          .isEqualTo(LossProbe.of(new SigmoidLoss(BETA, 0.1), pair));
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -0.1, Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
  void aBetaThatIsNotPositiveAndFiniteIsRefusedByEveryLoss(double beta) {
    List<DoubleFunction<PreferenceLoss>> all =
        List.of(
            SigmoidLoss::new,
            HingeLoss::new,
            IpoLoss::new,
            IpoSumLoss::new,
            UnitMarginLoss::new,
            b -> new SigmoidNormLoss(b, 0));
    for (DoubleFunction<PreferenceLoss> make : all) {
      assertThatThrownBy(() -> make.apply(beta))
          .isInstanceOf(UsageException.class)
          .hasMessage("beta must be positive and finite but was " + beta);
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {-0.01, 0.51, 1, Double.NaN, Double.POSITIVE_INFINITY})
  void aSmoothingOutsideZeroToOneHalfIsRefused(double smoothing) {
    List<DoubleFunction<PreferenceLoss>> all =
        List.of(s -> new SigmoidLoss(BETA, s), s -> new SigmoidNormLoss(BETA, s));
    for (DoubleFunction<PreferenceLoss> make : all) {
      assertThatThrownBy(() -> make.apply(smoothing))
          .isInstanceOf(UsageException.class)
          .hasMessageStartingWith("label_smoothing must be between 0 and 0.5 but was " + smoothing);
    }
  }
}
