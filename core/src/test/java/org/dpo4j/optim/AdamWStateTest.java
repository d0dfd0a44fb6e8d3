package org.dpo4j.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.Closeness.relative;

import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.ParameterSource.Kind;
import org.dpo4j.model.Parameters;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Closes: gradients that are not clipped, or that stay and are added to those of the next step,
 * which Adam hides by dividing by their size. Three weights, of which the last has no decay.
 */
class AdamWStateTest {

  private static final AdamW.Settings SETTINGS = new AdamW.Settings(0.9, 0.99, 1e-8, 0);

  private final Parameters parameters = new Parameters();
  private FlatParameters flat;
  private AdamW adamW;

  @BeforeEach
  void open() {
    parameters.take(zeros(), "bias", Kind.BIAS, 1);
    parameters.take(zeros(), "matrix", Kind.MATRIX, 2, 1);
    flat = FlatParameters.of(parameters);
    adamW = new AdamW(flat, SETTINGS);
  }

  @AfterEach
  void close() {
    adamW.close();
    flat.close();
    parameters.close();
  }

  private static ParameterSource zeros() {
    return (name, kind, shape) -> {
      try (TensorScope scope = TensorScope.open()) {
        return scope.disown(Tensors.zeros(ElementType.F64, shape));
      }
    };
  }

  private void gradients(double... values) {
    try (TensorScope scope = TensorScope.open()) {
      flat.gradients().copy_(Tensors.doubles(values));
    }
  }

  private double[] means() {
    return Tensors.toDoubles(adamW.means());
  }

  /** Means 0.1 g / 2, squares 0.01 (g / 2)^2. */
  @Test
  void theFactorMultipliesTheGradientsBeforeTheyEnterTheMoments() {
    gradients(2, -4, 8);
    adamW.step(0.1, 0.5);
    assertThat(means())
        .usingElementComparator(relative(1e-14))
        .containsExactly(new double[] {0.1, -0.2, 0.4});
    assertThat(Tensors.toDoubles(adamW.squares()))
        .usingElementComparator(relative(1e-14))
        .containsExactly(new double[] {0.01, 0.04, 0.16});
  }

  @Test
  void withoutAFactorTheGradientsEnterAsTheyAre() {
    gradients(2, -4, 8);
    adamW.step(0.1);
    assertThat(means())
        .usingElementComparator(relative(1e-14))
        .containsExactly(new double[] {0.2, -0.4, 0.8});
  }

  /** The second step adds nothing: 0.9 x 0.1 g. */
  @Test
  void aStepSetsTheGradientsToZero() {
    gradients(2, -4, 8);
    adamW.step(0.1);
    assertThat(Tensors.toDoubles(flat.gradients())).containsOnly(0);
    assertThat(flat.gradientNorm()).isZero();
    adamW.step(0.1);
    assertThat(means())
        .usingElementComparator(relative(1e-14))
        .containsExactly(new double[] {0.18, -0.36, 0.72});
  }

  /** The bias correction of step 2 divides by 1 - 0.9^2, that of step 1 by 1 - 0.9. */
  @Test
  void anOptimizerWithTheMomentsAndStepsOfAnotherTakesItsNextStep() {
    gradients(2, -4, 8);
    adamW.step(0.1);
    double[] weights = Tensors.toDoubles(flat.values());
    double[] means = means();
    double[] squares = Tensors.toDoubles(adamW.squares());
    gradients(1, 1, -3);
    adamW.step(0.1);
    double[] expected = Tensors.toDoubles(flat.values());

    try (AdamW other = new AdamW(flat, SETTINGS);
        TensorScope scope = TensorScope.open()) {
      other.means().copy_(Tensors.doubles(means));
      other.squares().copy_(Tensors.doubles(squares));
      other.continueAfter(1);
      flat.values().copy_(Tensors.doubles(weights));
      gradients(1, 1, -3);
      other.step(0.1);
      assertThat(Tensors.toDoubles(flat.values())).isEqualTo(expected);
    }
  }

  @Test
  void weightsWithDecayComeFirstInTheLayout() {
    assertThat(flat.layout()).containsExactly("matrix[2, 1]", "bias[1]");
    assertThat(flat.decaying()).isEqualTo(2);
  }

  @Test
  void oneWeightThatIsNotFiniteIsNoticed() {
    assertThat(flat.finite()).isTrue();
    try (TensorScope scope = TensorScope.open()) {
      flat.values().copy_(Tensors.doubles(1, 2, Double.NaN));
    }
    assertThat(flat.finite()).isFalse();
  }

  /** PyTorch adds 1e-6 to the norm. A norm of exactly the limit is not scaled. */
  @Test
  void theFactorOfClippingIsThatOfPyTorch() {
    assertThat(FlatParameters.clip(2, 1)).isEqualTo(1 / 2.000001);
    assertThat(FlatParameters.clip(2, 2)).isEqualTo(1);
    assertThat(FlatParameters.clip(2, 0)).isEqualTo(1);
    assertThat(FlatParameters.clip(1e-9, 0)).isEqualTo(1);
  }

  @Test
  void closingFreesTheBuffers() {
    System.gc(); // what earlier tests left to the collector must not be counted down meanwhile
    long before = TensorScope.liveHandles();
    try (Parameters own = new Parameters()) {
      own.take(zeros(), "matrix", Kind.MATRIX, 2, 1);
      try (FlatParameters buffers = FlatParameters.of(own);
          AdamW optimizer = new AdamW(buffers, SETTINGS)) {
        optimizer.step(0.1);
      }
    }
    assertThat(TensorScope.liveHandles()).isLessThanOrEqualTo(before);
  }

  @Test
  void constantsAtTheEndsOfTheirRangesAreAcceptedAndBeyondThemRefused() {
    assertThatCode(() -> new AdamW.Settings(0, 0, 0, 0)).doesNotThrowAnyException();
    assertThatThrownBy(() -> new AdamW.Settings(1, 0, 0, 0)).hasMessageContaining("[0, 1)");
    assertThatThrownBy(() -> new AdamW.Settings(0, 1, 0, 0)).hasMessageContaining("[0, 1)");
    assertThatThrownBy(() -> new AdamW.Settings(-0.1, 0, 0, 0)).hasMessageContaining("[0, 1)");
    assertThatThrownBy(() -> new AdamW.Settings(0, -0.1, 0, 0)).hasMessageContaining("[0, 1)");
  }
}
