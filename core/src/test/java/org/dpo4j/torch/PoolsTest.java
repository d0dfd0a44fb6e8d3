package org.dpo4j.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/**
 * Closes: a mode of the thread pools that a nested one changes or that stays when it is closed, and
 * products of few rows that differ from those of OpenBLAS.
 */
class PoolsTest {

  @Test
  void aNestedModeIsTheOuterOneAndNeitherStays() {
    try (Engine.Threads threads = Engine.use(3)) {
      assertThat(Pools.isSpreadAroundProducts()).isFalse();
      try (Pools.Hold outer = Pools.spreadAroundProducts()) {
        assertThat(Pools.isSpreadAroundProducts()).isTrue();
        assertThat(torch.get_num_threads()).isEqualTo(3);
        try (Pools.Hold inner = Pools.spread()) {
          assertThat(Pools.isSpreadAroundProducts()).isTrue();
        }
        assertThat(Pools.isSpreadAroundProducts()).isTrue();
      }
      assertThat(Pools.isSpreadAroundProducts()).isFalse();
      try (Pools.Hold plain = Pools.spread()) {
        assertThat(Pools.isSpreadAroundProducts()).isFalse();
      }
    }
  }

  @Test
  void withOneThreadThereIsNothingToSpread() {
    try (Engine.Threads threads = Engine.use(1);
        Pools.Hold spread = Pools.spreadAroundProducts()) {
      assertThat(Pools.isSpreadAroundProducts()).isFalse();
    }
  }

  @Test
  void theModesExcludeEachOther() {
    try (Pools.Hold single = Pools.single()) {
      assertThatThrownBy(Pools::spreadAroundProducts)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("the mode of single threads");
    }
  }

  /**
   * Sums of 512 products of numbers of about 1, in 32 bits: each of the 512 roundings is at most
   * 2^-24 of a sum of about 23, 512 * 6e-8 * 23 = 7e-4 in all.
   */
  @Test
  @EnabledIfSystemProperty(named = "os.arch", matches = "amd64|x86_64")
  void aProductOfOneRowIsThatOfOpenBlas() {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open();
        Engine.Threads threads = Engine.use(2)) {
      Tensor row = torch.randn(new long[] {1, 512}, Tensors.floats(0).options());
      Tensor weight = torch.randn(new long[] {1024, 512}, row.options());
      assertThat(OneDnn.isFaster(row, weight)).isFalse();
      double[] expected = Tensors.toDoubles(row.mm(weight.t()));
      try (Pools.Hold spread = Pools.spreadAroundProducts()) {
        if (OneDnn.isFaster(row, weight)) { // not with every set of instructions
          assertThat(Tensors.toDoubles(OneDnn.product(row, weight, null)))
              .containsExactly(expected, within(7e-4));
        }
        assertThat(OneDnn.isFaster(row, Tensors.rows(weight, 0, 0, 100))).isFalse();
      }
    }
  }
}
