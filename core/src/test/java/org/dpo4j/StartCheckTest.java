package org.dpo4j;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** Closes: a start that is off but passes, and a sound run that rounding stops. */
class StartCheckTest {

  private static final double LN_2 = Math.log(2);

  @Test
  void passesWhereLossAndLogRatiosAreThoseOfTheory() {
    assertThat(new StartCheck(LN_2, LN_2 + 9e-5, 5e-5, false).passed()).isTrue();
  }

  @Test
  void failsWhereTheLossIsOff() {
    assertThat(new StartCheck(LN_2, LN_2 + 2e-4, 5e-5, false).passed()).isFalse();
    assertThat(new StartCheck(LN_2, LN_2 - 2e-4, 5e-5, false).passed()).isFalse();
    assertThat(new StartCheck(LN_2, Double.NaN, 5e-5, false).passed()).isFalse();
  }

  @Test
  void toleranceIsRelativeAboveOne() {
    // 25 x 1e-4 = 2.5e-3
    assertThat(new StartCheck(25, 25.002, 5e-5, false).passed()).isTrue();
    assertThat(new StartCheck(25, 25.003, 5e-5, false).passed()).isFalse();
  }

  @Test
  void failsWhereErrorsCancelInTheMeanLoss() {
    assertThat(new StartCheck(LN_2, LN_2, 2e-4, false).passed()).isFalse();
  }

  @Test
  void passesWhereALargeBetaMakesMuchOfRounding() {
    // beta 20, log-probability -2000, off by 4e-6 of it: z is off by 0.16, the loss by about 0.08.
    assertThat(new StartCheck(LN_2, LN_2 + 0.08, 4e-6, false).passed()).isTrue();
  }

  @Test
  void failsWhereTheFormulaIsWrongThoughTheModelsAgree() {
    assertThat(new StartCheck(LN_2, 1, 0, false).passed()).isFalse();
    assertThat(new StartCheck(LN_2, Double.NaN, 0, false).passed()).isFalse();
    assertThat(new StartCheck(LN_2, LN_2, Double.NaN, false).passed()).isFalse();
  }

  @Test
  void productsInBf16MayBeOffByTheirRounding() {
    assertThat(new StartCheck(LN_2, LN_2 + 0.01, 0.01, true).passed()).isTrue();
    assertThat(new StartCheck(LN_2, LN_2 + 0.01, 0.03, true).passed()).isFalse();
    assertThat(new StartCheck(LN_2, 1, 0.01, true).passed()).isFalse();
    assertThat(new StartCheck(LN_2, LN_2 - 0.01, 0.01, true).passed()).isTrue();
    assertThat(new StartCheck(LN_2, 0.4, 0.01, true).passed()).isFalse();
    assertThat(new StartCheck(-25, -25.5, 0.01, true).passed()).isTrue(); // a fifth of 25 is 5
    assertThat(new StartCheck(-25, -31, 0.01, true).passed()).isFalse();
    assertThat(new StartCheck(LN_2, Double.NaN, 0.01, true).passed()).isFalse();
  }
}
