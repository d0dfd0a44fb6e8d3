package org.dpo4j.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/** Closes the defect that a difference passes as rounding. */
class AgreementTest {

  @Test
  void smallLossesAreComparedAsTheyAreAndLargeOnesBySize() {
    assertThat(Agreement.of(List.of(0.6931, 0.5), List.of(0.6931, 0.5004), 5e-4).holds()).isTrue();
    assertThat(Agreement.of(List.of(0.6931, 0.5), List.of(0.6931, 0.5006), 5e-4).holds()).isFalse();
    assertThat(Agreement.of(List.of(100.04), List.of(100.0), 5e-4).holds()).isTrue();
  }

  @Test
  void missingAndBrokenStepsNeverAgree() {
    assertThat(Agreement.of(List.of(0.5), List.of(0.5, 0.5), 5e-4).holds()).isFalse();
    assertThat(Agreement.of(List.of(Double.NaN), List.of(0.5), 5e-4).holds()).isFalse();
  }

  @Test
  void spreadsAreOfAllRuns() {
    Spread spread = new Spread(List.of(3.0, 1.0, 2.0, 10.0));

    assertThat(spread.median()).isEqualTo(2.5);
    assertThat(spread.text(Report::one)).isEqualTo("2.5 (1.0 to 10.0)");
    assertThat(spread.all(Report::one)).isEqualTo("3.0, 1.0, 2.0, 10.0");
  }
}
