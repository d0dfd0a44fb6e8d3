package org.dpo4j.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Closes: a difference that is called real though chance makes it, or chance though it is real, and
 * gains that are counted as losses.
 */
class PairedTestTest {

  /** Sums of binomial coefficients: 2 (1 + 12 + 66) / 2^12 for the first. */
  @ParameterizedTest
  @CsvSource({
    "10, 2, 0.03857422",
    "2, 10, 0.03857422",
    "5, 5, 1",
    "0, 0, 1",
    "6, 0, 0.03125",
    "5, 0, 0.0625"
  })
  void thePValueIsMcNemarsExactOne(int gained, int lost, double p) {
    PairedTest test = new PairedTest(100, gained, lost);
    assertThat(test.p()).isCloseTo(p, within(1e-8));
    assertThat(test.real()).isEqualTo(p < 0.05);
  }

  @Test
  void theSmallestVisibleDifferenceIsOneThatTheTestWouldCallReal() {
    assertThat(new PairedTest(12, 0, 0).smallestVisible()).isEqualTo(0.5);
    assertThat(new PairedTest(12, 6, 0).real()).isTrue();
    assertThat(new PairedTest(12, 5, 0).real()).isFalse();
    assertThat(new PairedTest(3, 1, 0).smallestVisible()).isEqualTo(1);
    assertThat(new PairedTest(500, 60, 55).smallestVisible()).isBetween(0.03, 0.06);
  }

  @Test
  void gainsAndLossesAreToldApart() {
    boolean[] before = {true, true, false, false, false};
    boolean[] after = {true, false, true, true, false};
    PairedTest test = PairedTest.of(before, after);
    assertThat(test).isEqualTo(new PairedTest(5, 2, 1));
    assertThat(test.difference()).isEqualTo(0.2);
    assertThat(PairedTest.of(after, before)).isEqualTo(new PairedTest(5, 1, 2));
  }

  /** Two models of the same accuracy, whose answers are drawn anew 2,000 times. */
  @Test
  void chanceAloneIsRarelyCalledRealAndTheIntervalHoldsNothing() {
    Random random = new Random(1);
    int real = 0;
    int covered = 0;
    for (int trial = 0; trial < 2000; trial++) {
      PairedTest test = PairedTest.of(drawn(random, 0.7), drawn(random, 0.7));
      real += test.real() ? 1 : 0;
      covered += test.low() <= 0 && test.high() >= 0 ? 1 : 0;
    }
    assertThat(real).isBetween(20, 100); // an exact test stays below its level of 5 %
    assertThat(covered).isBetween(1860, 1960);
  }

  @Test
  void aLargeDifferenceIsFound() {
    Random random = new Random(2);
    PairedTest test = PairedTest.of(drawn(random, 0.6), drawn(random, 0.85));
    assertThat(test.real()).isTrue();
    assertThat(test.low()).isPositive();
    assertThat(test.high()).isGreaterThan(test.difference());
  }

  private static boolean[] drawn(Random random, double accuracy) {
    boolean[] correct = new boolean[200];
    for (int i = 0; i < correct.length; i++) {
      correct[i] = random.nextDouble() < accuracy;
    }
    return correct;
  }
}
