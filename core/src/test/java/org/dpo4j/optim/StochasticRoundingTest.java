package org.dpo4j.optim;

import static org.assertj.core.api.Assertions.assertThat;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;

/** Closes: numbers that are rounded to other than their neighbours, or with a bias. */
class StochasticRoundingTest {

  private static final float UNIT = 1f / 128; // of bfloat16 from 1 to 2

  private static double[] rounded(float number, int count, long seed) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor target = Tensors.empty(ElementType.BF16, count);
      try (StochasticRounding rounding = new StochasticRounding(Tensors.floats(0))) {
        rounding.round(
            Tensors.zeros(ElementType.F32, count).fill_(Tensors.scalar(number)), target, seed);
      }
      return Tensors.toDoubles(target);
    }
  }

  @Test
  void theNeighboursComeAsOftenAsTheirDistancesSay() {
    int count = 100_000;
    for (float share : new float[] {0.01f, 0.3f, 0.5f, 0.9f}) {
      for (int sign : new int[] {1, -1}) {
        double[] found = rounded(sign * (1 + share * UNIT), count, 7);
        double up = 0;
        for (double value : found) {
          assertThat(value).isIn((double) sign, sign * (1.0 + UNIT));
          up += value == sign ? 0 : 1;
        }
        // six standard deviations
        double margin = 6 * Math.sqrt(share * (1 - share) / count);
        assertThat(up / count).isBetween(share - margin, share + margin);
      }
    }
  }

  @Test
  void numbersOfBf16Stay() {
    for (float number : new float[] {0, 1, -1.5f, 3.140625f}) {
      assertThat(rounded(number, 1000, 1)).containsOnly(number);
    }
  }

  @Test
  void aSeedRoundsEqually() {
    assertThat(rounded(1.003f, 1000, 5)).isEqualTo(rounded(1.003f, 1000, 5));
    assertThat(rounded(1.003f, 1000, 5)).isNotEqualTo(rounded(1.003f, 1000, 6));
  }
}
