package org.dpo4j.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.Closeness.relative;

import java.util.stream.IntStream;
import org.dpo4j.optim.LearningRateSchedule.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Closes: a warm-up or decay that is one step early or late. Peak 12, 2 warm-up steps of 8. */
class LearningRateScheduleTest {

  @Test
  void constantIgnoresWarmup() {
    assertThat(rates(Shape.CONSTANT, 2)).containsOnly(12);
    assertThat(LearningRateSchedule.constant(3).at(1_000)).isEqualTo(3);
  }

  @Test
  void constantWithWarmupRisesInALineFromZeroAndStays() {
    assertThat(rates(Shape.CONSTANT_WITH_WARMUP, 2)).containsExactly(0, 6, 12, 12, 12, 12, 12, 12);
  }

  /** 12 (8 - i) / 6 from i = 2 on. */
  @Test
  void linearFallsToZeroAtTheEndOfTheRun() {
    assertThat(rates(Shape.LINEAR, 2))
        .usingElementComparator(relative(1e-12))
        .containsExactly(new double[] {0, 6, 12, 10, 8, 6, 4, 2});
    assertThat(new LearningRateSchedule(12, Shape.LINEAR, 2, 8).at(8)).isZero();
  }

  /** 6 (1 + cos(k pi / 6)), k = 0..5: cos = 1, sqrt(3)/2, 1/2, 0, -1/2, -sqrt(3)/2. */
  @Test
  void cosineFallsAlongHalfAWave() {
    double r = 6 * Math.sqrt(3) / 2;
    assertThat(rates(Shape.COSINE, 2))
        .usingElementComparator(relative(1e-12))
        .containsExactly(new double[] {0, 6, 12, 6 + r, 9, 6, 3, 6 - r});
    assertThat(new LearningRateSchedule(12, Shape.COSINE, 2, 8).at(8))
        .usingComparator(relative(1e-12))
        .isEqualTo(0);
  }

  @ParameterizedTest
  @EnumSource
  void withoutWarmupTheFirstStepHasThePeak(Shape shape) {
    assertThat(rates(shape, 0)[0]).isEqualTo(12);
  }

  /** 12 (1 - i/8). */
  @Test
  void withoutWarmupLinearFallsFromTheFirstStepOn() {
    assertThat(rates(Shape.LINEAR, 0))
        .usingElementComparator(relative(1e-12))
        .containsExactly(new double[] {12, 10.5, 9, 7.5, 6, 4.5, 3, 1.5});
  }

  @Test
  void aRunShorterThanItsWarmupNeverReachesThePeak() {
    assertThat(rates(Shape.LINEAR, 16)[7])
        .usingComparator(relative(1e-12))
        .isEqualTo(12 * 7 / 16.0);
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
    assertThatThrownBy(() -> new LearningRateSchedule(1, Shape.LINEAR, -1, 8))
        .hasMessageContaining("1.0, -1, 8");
    assertThatThrownBy(() -> new LearningRateSchedule(1, Shape.LINEAR, 2, -8))
        .hasMessageContaining("1.0, 2, -8");
  }

  private static double[] rates(Shape shape, int warmup) {
    LearningRateSchedule schedule = new LearningRateSchedule(12, shape, warmup, 8);
    return IntStream.range(0, 8).mapToDouble(schedule::at).toArray();
  }
}
