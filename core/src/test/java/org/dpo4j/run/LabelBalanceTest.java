package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Closes: advice on weights where the paper has none, and none where it has. */
class LabelBalanceTest {

  @ParameterizedTest
  @CsvSource({"10, 10, 1, 1", "12, 10, 1, 1", "5, 20, 4, 1", "20, 5, 1, 4", "5, 20, 5.2, 1"})
  void balancedLabelsNeedNoAdvice(int desirable, int undesirable, double d, double u) {
    assertThat(new LabelBalance(desirable, undesirable).advice(d, u)).isEmpty();
  }

  @Test
  void theAdviceHasTheRangesOfThePaper() {
    assertThat(new LabelBalance(5, 20).advice(1, 1).orElseThrow())
        .contains("5 desirable, 20 undesirable")
        .contains("from 4.00 to 5.32")
        .contains("from 0.19 to 0.25");
    assertThat(new LabelBalance(5, 20).advice(4.5, 0.8)).isPresent();
  }

  @Test
  void oneLabelAloneIsReported() {
    assertThat(new LabelBalance(5, 0).advice(1, 1).orElseThrow())
        .startsWith("all completions are desirable");
    assertThat(new LabelBalance(0, 5).advice(1, 1).orElseThrow()).contains("undesirable");
  }
}
