package org.dpo4j.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.Closeness.relative;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Random;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

/** Closes: an operator called by name that gets its arguments in a wrong order, or leaks them. */
class NamedOperatorTest {

  @Test
  void anOperatorThatIsMissingIsNullOrNamed() {
    assertThat(NamedOperator.find("aten::no_such_operator", "")).isNull();
    assertThatThrownBy(() -> NamedOperator.get("aten::no_such_operator", "out"))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("aten::no_such_operator.out");
  }

  @Test
  void aCallGivesTheResultAndReleasesItsArguments() {
    NamedOperator multiply = NamedOperator.get("aten::mm", "");
    try (TensorScope scope = TensorScope.open()) {
      Tensor left = Tensors.doubles(1, 2, 3, 4).view(2, 2);
      Tensor right = Tensors.doubles(5, 6, 7, 8).view(2, 2);
      long uses = left.use_count();
      Tensor product = multiply.call(new IValue(left), new IValue(right));
      assertThat(Tensors.toDoubles(product)).containsExactly(19, 22, 43, 50);
      assertThat(left.use_count()).isEqualTo(uses);
    }
  }

  /** The softmax of (0, log 3) is (1/4, 3/4); dS = P (dP - sum(dP P)). */
  @Test
  void theGradientOfASoftmaxIsThatOfItsFormulaInPlace() {
    try (TensorScope scope = TensorScope.open()) {
      Tensor softmax = Tensors.doubles(0.25, 0.75).view(1, 2);
      Tensor gradient = Tensors.doubles(1, 3).view(1, 2);
      Softmax.backward(gradient, softmax);
      // sum(dP P) = 2.5
      assertThat(Tensors.toDoubles(gradient)).containsExactly(0.25 * -1.5, 0.75 * 0.5);
    }
  }

  /** Without AVX2 there is nothing to test: {@code isFaster} is false. */
  @Test
  void oneDnnsProductsAreThoseOfDoublePrecision() {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor input = random(1, 512, 256);
      Tensor weight = random(2, 128, 256);
      Tensor bias = random(3, 1, 128).view(-1);
      Tensor sum = random(4, 512, 128);
      boolean measured = torch.get_cpu_capability().getString().startsWith("AVX");
      assertThat(OneDnn.isFaster(input, weight)).isEqualTo(measured);
      assumeTrue(measured, "oneDNN is used with AVX2 and AVX-512");
      Tensor expected = precise(input).mm(precise(weight).t());
      assertClose(OneDnn.product(input, weight, null), expected);
      assertClose(OneDnn.product(input, weight, bias), expected.add(precise(bias)));
      Tensor before = sum.clone();
      assertClose(OneDnn.productAndSum(sum, input, weight), expected.add(precise(sum)));
      assertThat(Tensors.toDoubles(sum)).isEqualTo(Tensors.toDoubles(before));
    }
  }

  @Test
  void oneDnnIsNotUsedWhereAutogradRecordsOrTypesAndSizesDoNotFit() {
    try (TensorScope scope = TensorScope.open()) {
      Tensor input = random(1, 512, 256);
      Tensor weight = random(2, 128, 256);
      assertThat(OneDnn.isFaster(input, weight)).as("autograd records").isFalse();
      try (NoGrad noGrad = NoGrad.open()) {
        assertThat(OneDnn.isFaster(precise(input), precise(weight))).isFalse();
        assertThat(OneDnn.isFaster(input.narrow(0, 0, 7), weight)).isFalse();
      }
    }
  }

  private static Tensor random(long seed, int rows, int columns) {
    double[] values = new Random(seed).doubles((long) rows * columns, 0.5, 1).toArray();
    return Tensors.doubles(values).to(ScalarType.Float).view(rows, columns);
  }

  private static Tensor precise(Tensor tensor) {
    return tensor.to(ScalarType.Double);
  }

  /** 256 products of one sign, rounded to 6e-8 each: the sum is off by less than 256 x 6e-8. */
  private static void assertClose(Tensor actual, Tensor expected) {
    assertThat(Tensors.toDoubles(actual))
        .usingElementComparator(relative(2e-5))
        .containsExactly(Tensors.toDoubles(expected));
  }
}
