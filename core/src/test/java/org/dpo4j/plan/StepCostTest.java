package org.dpo4j.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dpo4j.Closeness.relative;

import org.junit.jupiter.api.Test;

/** Closes the defect that the cost of a whole model does not follow from that of a few blocks. */
class StepCostTest {

  @Test
  void everyBlockCostsTheSame() {
    StepCost one = new StepCost(5, 2, 0.5); // 4 + 1, 1.5 + 0.5, 0.4 + 0.1
    StepCost three = new StepCost(7, 3, 0.7);

    StepCost whole = one.extrapolate(1, three, 3, 30);
    assertThat(whole.compute()).usingComparator(relative(1e-9)).isEqualTo(4 + 30);
    assertThat(whole.forward()).usingComparator(relative(1e-9)).isEqualTo(1.5 + 15);
    assertThat(whole.optimizer()).usingComparator(relative(1e-9)).isEqualTo(0.4 + 3);
    assertThat(one.extrapolate(1, three, 3, 3)).isEqualTo(three);
  }

  @Test
  void noBlockCostsLessThanNothing() {
    StepCost one = new StepCost(5, 2, 0.5);
    StepCost noisy = new StepCost(4, 2, 0.4);

    assertThat(one.extrapolate(1, noisy, 3, 30)).isEqualTo(one);
  }

  @Test
  void theUpdateDoesNotDependOnThePairs() {
    assertThat(new StepCost(5, 2, 0.5).scaled(2)).isEqualTo(new StepCost(10, 4, 0.5));
  }
}
