package org.dpo4j.plan;

import static org.assertj.core.api.Assertions.assertThat;

import org.dpo4j.torch.ElementType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Closes: a calibration without an end on a processor that has no fast kernel for a type. */
class MatrixPeakTest {

  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16"})
  void theSmallestSizeIsMeasuredEvenWithoutTime(ElementType type) {
    // The largest would be 2^50 operations: hours.
    assertThat(MatrixPeak.measure(type, 1 << 16, 0)).isPositive().isFinite();
  }

  @Test
  void growingSizesAreTriedWhileThereIsTime() {
    assertThat(MatrixPeak.measure(ElementType.F32, 512, 60)).isPositive().isFinite();
  }
}
