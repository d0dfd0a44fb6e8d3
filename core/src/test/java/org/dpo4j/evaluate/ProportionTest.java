package org.dpo4j.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Closes: an interval that is another one than Wilson's, or leaves [0, 1]. */
class ProportionTest {

  /** Worked out from Wilson's formula. */
  @ParameterizedTest
  @CsvSource({
    "8, 10, 0.490162, 0.943318",
    "0, 20, 0, 0.161125",
    "20, 20, 0.838875, 1",
    "250, 500, 0.456341, 0.543659",
    "1, 1, 0.206549, 1"
  })
  void theIntervalIsWilsons(int successes, int of, double low, double high) {
    Proportion proportion = new Proportion(successes, of);
    assertThat(proportion.low()).isCloseTo(low, within(1e-6));
    assertThat(proportion.high()).isCloseTo(high, within(1e-6));
    assertThat(proportion.share()).isEqualTo((double) successes / of);
  }

  @Test
  void nothingCountedHasNoShare() {
    assertThat(new Proportion(0, 0).share()).isNaN();
    assertThat(new Proportion(0, 0).low()).isNaN();
    assertThat(new Proportion(0, 0).high()).isNaN();
    assertThatThrownBy(() -> new Proportion(3, 2)).hasMessageContaining("[0, 2] but was 3");
  }
}
