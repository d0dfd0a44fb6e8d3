package org.dpo4j.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.UsageException;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Closes: a loss on labelled completions with another value, gradient or weight than its paper's.
 */
class UnpairedLossTest {

  private static final double BETA = 0.3;
  private static final double DESIRABLE = 0.8;
  private static final double UNDESIRABLE = 2.5;
  private static final double[] POLICY = {-10, -12.5, -7, -30};
  private static final double[] REFERENCE = {-11, -12, -7, -26};
  private static final boolean[] LABELS = {true, false, false, true};
  private static final double KL = 1.7;

  static List<UnpairedLoss> losses() {
    return List.of(
        new KtoLoss(BETA, DESIRABLE, UNDESIRABLE),
        new ApoZeroUnpairedLoss(BETA, DESIRABLE, UNDESIRABLE));
  }

  private static UnpairedInputs inputs(Tensor policy, double kl) {
    return new UnpairedInputs(policy, Tensors.doubles(REFERENCE), Tensors.doubles(1, 0, 0, 1), kl);
  }

  private static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  /** lambda_y (1 - sigmoid(+-beta (Delta - KL))), written as the paper has it. */
  private static double expected(UnpairedLoss loss, int i) {
    double ratio = POLICY[i] - REFERENCE[i];
    double point = loss.usesKl() ? KL : 0;
    double value = LABELS[i] ? sigmoid(BETA * (ratio - point)) : sigmoid(BETA * (point - ratio));
    return (LABELS[i] ? DESIRABLE : UNDESIRABLE) * (1 - value);
  }

  @ParameterizedTest
  @MethodSource("losses")
  void theValueIsThatOfThePaper(UnpairedLoss loss) {
    try (TensorScope scope = TensorScope.open()) {
      double[] values = Tensors.toDoubles(loss.of(inputs(Tensors.doubles(POLICY), KL)));

      assertThat(values).hasSize(4);
      for (int i = 0; i < values.length; i++) {
        assertThat(values[i]).isCloseTo(expected(loss, i), within(1e-12));
      }
    }
  }

  /**
   * dL/dlog pi(y) = -+lambda beta s (1 - s) with s the sigmoid in the loss: down where desirable.
   */
  @ParameterizedTest
  @MethodSource("losses")
  void theGradientRaisesDesirableCompletionsAndLowersTheOthers(UnpairedLoss loss) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor policy = Tensors.doubles(POLICY).set_requires_grad(true);
      loss.of(inputs(policy, KL)).sum().backward();
      double[] gradient = Tensors.toDoubles(policy.grad());

      for (int i = 0; i < gradient.length; i++) {
        double weight = LABELS[i] ? DESIRABLE : UNDESIRABLE;
        double s = expected(loss, i) / weight;
        double sign = LABELS[i] ? -1 : 1;
        assertThat(gradient[i]).isCloseTo(sign * weight * BETA * s * (1 - s), within(1e-12));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("losses")
  void noGradientFlowsIntoTheReference(UnpairedLoss loss) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor policy = Tensors.doubles(POLICY).set_requires_grad(true);
      Tensor reference = Tensors.doubles(REFERENCE).set_requires_grad(true);
      loss.of(new UnpairedInputs(policy, reference, Tensors.doubles(1, 0, 0, 1), KL))
          .sum()
          .backward();

      assertThat(reference.grad().defined()).isFalse();
    }
  }

  @Test
  void theKlMovesKtoAndNotApo() {
    try (TensorScope scope = TensorScope.open()) {
      for (UnpairedLoss loss : losses()) {
        double[] without = Tensors.toDoubles(loss.of(inputs(Tensors.doubles(POLICY), 0)));
        double[] with = Tensors.toDoubles(loss.of(inputs(Tensors.doubles(POLICY), KL)));
        if (loss.usesKl()) {
          assertThat(with[0]).isGreaterThan(without[0]);
          assertThat(with[1]).isLessThan(without[1]);
        } else {
          assertThat(with).isEqualTo(without);
        }
      }
    }
  }

  @Test
  void theValueWherePolicyAndReferenceAgreeIsKnownIfBothWeightsAreOne() {
    assertThat(new KtoLoss(BETA, 1, 1).valueAtZero()).hasValue(0.5);
    assertThat(new ApoZeroUnpairedLoss(BETA, 2, 2).valueAtZero()).hasValue(1);
    assertThat(new KtoLoss(BETA, 1, 2).valueAtZero()).isEmpty();
    assertThat(new ApoZeroUnpairedLoss(BETA, 1, 2).valueAtZero()).isEmpty();
  }

  @Test
  void weightsMustBePositive() {
    assertThatThrownBy(() -> new KtoLoss(BETA, 0, 1))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("desirable_weight");
    assertThatThrownBy(() -> new ApoZeroUnpairedLoss(BETA, 1, Double.NaN))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("undesirable_weight");
  }
}
