package org.dpo4j.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.Closeness.relative;

import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.dpo4j.optim.LearningRateSchedule.Shape;
import org.dpo4j.optim.LearningRateSchedule.Shape.Curve;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Closes: a warm-up or decay that is one step early or late. Peak 12, 2 warm-up steps of 8. */
class LearningRateScheduleTest {
  private static final Shape CONSTANT = new Shape.Constant();
  private static final Shape CONSTANT_WITH_WARMUP = new Shape.ConstantWithWarmup();
  private static final Shape LINEAR = new Shape.Linear();
  private static final Shape COSINE = new Shape.Cosine(0.5, 0);

  @Test
  void constantIgnoresWarmup() {
    assertThat(rates(CONSTANT, 2)).containsOnly(12);
    assertThat(LearningRateSchedule.constant(3).at(1_000)).isEqualTo(3);
  }

  @Test
  void constantWithWarmupRisesInALineFromZeroAndStays() {
    assertThat(rates(CONSTANT_WITH_WARMUP, 2)).containsExactly(0, 6, 12, 12, 12, 12, 12, 12);
  }

  /** 12 (8 - i) / 6 from i = 2 on. */
  @Test
  void linearFallsToZeroAtTheEndOfTheRun() {
    assertThat(rates(LINEAR, 2))
        .usingElementComparator(relative(1e-12))
        .containsExactly(new double[] {0, 6, 12, 10, 8, 6, 4, 2});
    assertThat(new LearningRateSchedule(12, LINEAR, 2, 8).at(8)).isZero();
  }

  /** 6 (1 + cos(k pi / 6)), k = 0..5: cos = 1, sqrt(3)/2, 1/2, 0, -1/2, -sqrt(3)/2. */
  @Test
  void cosineFallsAlongHalfAWave() {
    double r = 6 * Math.sqrt(3) / 2;
    assertThat(rates(COSINE, 2))
        .usingElementComparator(relative(1e-12))
        .containsExactly(new double[] {0, 6, 12, 6 + r, 9, 6, 3, 6 - r});
    assertThat(new LearningRateSchedule(12, COSINE, 2, 8).at(8))
        .usingComparator(relative(1e-12))
        .isEqualTo(0);
  }

  static List<Shape> shapes() {
    return List.of(
        CONSTANT,
        CONSTANT_WITH_WARMUP,
        LINEAR,
        COSINE,
        new Shape.CosineWithRestarts(2),
        new Shape.Polynomial(0.1, 2),
        new Shape.InverseSqrt(OptionalDouble.empty()),
        new Shape.WarmupStableDecay(3, OptionalInt.empty(), Curve.LINEAR, Curve.COSINE, 0, 0.5));
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void withoutWarmupTheFirstStepHasThePeak(Shape shape) {
    assertThat(rates(shape, 0)[0]).isEqualTo(12);
  }

  /** 12 (1 - i/8). */
  @Test
  void withoutWarmupLinearFallsFromTheFirstStepOn() {
    assertThat(rates(LINEAR, 0))
        .usingElementComparator(relative(1e-12))
        .containsExactly(new double[] {12, 10.5, 9, 7.5, 6, 4.5, 3, 1.5});
  }

  @Test
  void aRunShorterThanItsWarmupNeverReachesThePeak() {
    assertThat(rates(LINEAR, 16)[7]).usingComparator(relative(1e-12)).isEqualTo(12 * 7 / 16.0);
  }

  @Test
  void aRateThatIsNegativeOrNoNumberIsRefused() {
    for (double peak : new double[] {-1, Double.NaN}) {
      assertThatThrownBy(() -> LearningRateSchedule.constant(peak))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("" + peak);
    }
  }

  @Test
  void aRateOfZeroIsAllowedAndANegativeNumberOfStepsIsNot() {
    assertThat(LearningRateSchedule.constant(0).at(3)).isZero();
    assertThatThrownBy(() -> new LearningRateSchedule(1, LINEAR, -1, 8))
        .hasMessageContaining("1.0, -1, 8");
    assertThatThrownBy(() -> new LearningRateSchedule(1, LINEAR, 2, -8))
        .hasMessageContaining("1.0, 2, -8");
  }

  /** 6 (1 + cos) of 0, 90, 0 and 90 degrees: two half waves in the four steps after the warm-up. */
  @Test
  void restartsBeginAtThePeakAgain() {
    LearningRateSchedule schedule =
        new LearningRateSchedule(12, new Shape.CosineWithRestarts(2), 2, 6);
    assertThat(IntStream.range(0, 7).mapToDouble(schedule::at).toArray())
        .usingElementComparator(relative(1e-12))
        .containsExactly(new double[] {0, 6, 12, 6, 12, 6, 0});
  }

  /** Two steps up, two at the peak, four down in a line to a quarter, where it stays. */
  @Test
  void aStablePhaseIsFollowedByTheDecay() {
    Shape shape =
        new Shape.WarmupStableDecay(4, OptionalInt.of(2), Curve.LINEAR, Curve.LINEAR, 0.25, 0.5);
    LearningRateSchedule schedule = new LearningRateSchedule(16, shape, 2, 10);
    assertThat(IntStream.range(0, 10).mapToDouble(schedule::at).toArray())
        .usingElementComparator(relative(1e-12))
        .containsExactly(new double[] {4, 10, 16, 16, 16, 13, 10, 7, 4, 4});
  }

  private static double[] rates(Shape shape, int warmup) {
    LearningRateSchedule schedule = new LearningRateSchedule(12, shape, warmup, 8);
    return IntStream.range(0, 8).mapToDouble(schedule::at).toArray();
  }
}
