package org.dpo4j.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.Closeness.relative;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;

/**
 * Closes: a public method that mixes up its four tensors, lets gradients into the reference, or
 * broadcasts shapes that do not belong together.
 */
class DpoLossTest {

  /**
   * beta 0.5: z_1 = 0.5 ((-1 + 2) - (-3 + 2)) = 1, loss ln(1 + e^-1) = 0.313262; z_2 = 0.5 ((-4 +
   * 2) - (-1 + 3)) = -2, loss ln(1 + e^2) = 2.126928.
   */
  @Test
  void givesLossAndRewardMarginOfEachPair() {
    try (TensorScope scope = TensorScope.open()) {
      LossTerms terms =
          DpoLoss.dpoLoss(
              Tensors.doubles(-1, -4),
              Tensors.doubles(-3, -1),
              Tensors.doubles(-2, -2),
              Tensors.doubles(-2, -3),
              0.5);
      assertThat(Tensors.toDoubles(terms.loss()))
          .usingElementComparator(relative(1e-6))
          .containsExactly(new double[] {0.313262, 2.126928});
      assertThat(Tensors.toDoubles(terms.rewardMargins()))
          .usingElementComparator(relative(1e-12))
          .containsExactly(new double[] {1, -2});
      assertThat(Tensors.toDoubles(terms.chosenRewards()))
          .usingElementComparator(relative(1e-12))
          .containsExactly(new double[] {0.5, -1});
      assertThat(Tensors.toDoubles(terms.rejectedRewards()))
          .usingElementComparator(relative(1e-12))
          .containsExactly(new double[] {-0.5, 1});
    }
  }

  @Test
  void noGradientFlowsIntoTheReferenceEvenIfItAsksForOne() {
    try (TensorScope scope = TensorScope.open()) {
      Tensor policyChosen = Tensors.doubles(-1).set_requires_grad(true);
      Tensor policyRejected = Tensors.doubles(-2).set_requires_grad(true);
      Tensor refChosen = Tensors.doubles(-3).set_requires_grad(true);
      Tensor refRejected = Tensors.doubles(-4).set_requires_grad(true);
      DpoLoss.dpoLoss(policyChosen, policyRejected, refChosen, refRejected, 0.1)
          .loss()
          .sum()
          .backward();
      assertThat(policyChosen.grad().defined()).isTrue();
      assertThat(policyRejected.grad().defined()).isTrue();
      assertThat(refChosen.grad().defined()).isFalse();
      assertThat(refRejected.grad().defined()).isFalse();
    }
  }

  @Test
  void rewardsCarryNoGradient() {
    try (TensorScope scope = TensorScope.open()) {
      Tensor policy = Tensors.doubles(-1).set_requires_grad(true);
      Tensor other = Tensors.doubles(-1);
      LossTerms terms = DpoLoss.dpoLoss(policy, other, other, other, 0.1);
      assertThat(terms.loss().requires_grad()).isTrue();
      assertThat(terms.rewardMargins().requires_grad()).isFalse();
    }
  }

  @Test
  void wrongShapesAreRefused() {
    try (TensorScope scope = TensorScope.open()) {
      Tensor one = Tensors.doubles(-1);
      Tensor two = Tensors.doubles(-1, -2);
      Tensor matrix = two.view(1, 2);
      refused(two, one, two, two, "rejected must have shape [2] but has [1]");
      refused(two, two, two, one, "rejected must have shape [2] but has [1]");
      refused(two, two, one, one, "policy and reference must have one batch size");
      refused(matrix, matrix, matrix, matrix, "chosen must have shape [any] but has [1, 2]");
    }
  }

  @Test
  void wrongTypesAreRefused() {
    try (TensorScope scope = TensorScope.open()) {
      Tensor doubles = Tensors.doubles(-1);
      Tensor floats = Tensors.floats(-1);
      Tensor longs = Tensors.longs(-1);
      refused(doubles, floats, doubles, doubles, "rejected must be of type Double but is Float");
      refused(floats, floats, doubles, doubles, "reference must be of type Float but is Double");
      refused(longs, longs, longs, longs, "chosen must be of a floating type but is Long");
    }
  }

  private static void refused(Tensor a, Tensor b, Tensor c, Tensor d, String message) {
    assertThatThrownBy(() -> DpoLoss.dpoLoss(a, b, c, d, 0.1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
  }
}
