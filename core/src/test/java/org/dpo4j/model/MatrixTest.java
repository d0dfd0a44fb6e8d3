package org.dpo4j.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.OneDnn;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Closes: a product that is wrong by one of the libraries only, or for rows and columns that lie in
 * memory otherwise. The sizes are small, and large enough for the library that is faster then; what
 * is expected is computed in double precision.
 */
class MatrixTest {

  @ParameterizedTest
  @CsvSource({
    "3,5,4,F32",
    "130,300,250,F32",
    "9,1024,1024,F32",
    "7,1100,1100,F32",
    "3,5,4,BF16",
    "130,300,250,F16",
    "9,1024,1024,BF16",
    "7,1100,1100,F16",
    "1,1000,1100,BF16"
  })
  void everyWayToMultiplyAgreesWithDoublePrecision(int rows, int in, int out, ElementType stored) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor whole = random(1, out + 3, in).to(stored.scalarType());
      Matrix matrix = new Matrix(whole).rows(2, out); // begins inside of another
      Tensor values = matrix.values();
      Tensor bias = random(2, 1, out).view(-1);
      for (boolean dense : new boolean[] {true, false}) {
        Tensor input = dense ? random(3, rows, in) : random(3, in, rows).t();
        Tensor gradient = dense ? random(4, rows, out) : random(4, rows, 2 * out).narrow(1, 3, out);
        assertClose(matrix.times(input, true), product(input, values.t()));
        assertClose(matrix.times(input, true, bias), product(input, values.t()).add(precise(bias)));
        assertClose(matrix.times(gradient, false), product(gradient, values));

        Tensor sum = random(5, rows, in);
        Tensor expected = precise(sum).add(product(gradient, values));
        assertClose(matrix.plusTimes(sum, gradient, false), expected);

        Tensor result = random(6, rows, out + 1).narrow(1, 1, out);
        matrix.timesInto(result, input, true);
        assertClose(result, product(input, values.t()));
      }
    }
  }

  /** What a product computes with is the same, so that the results have the same bits. */
  @ParameterizedTest
  @CsvSource({"70,300,250,BF16", "3,30,25,F16", "100,1024,1100,BF16"})
  void aMatrixIn16BitsGivesWhatItGivesInFp32(int rows, int in, int out, ElementType stored) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor values = random(1, out, in).to(stored.scalarType());
      Matrix narrow = new Matrix(values);
      Matrix wide = new Matrix(values.to(ScalarType.Float));
      Tensor input = random(2, rows, in);
      Tensor gradient = random(3, rows, out);
      assertThat(narrow.times(input, true).equal(wide.times(input, true))).isTrue();
      assertThat(narrow.times(gradient, false).equal(wide.times(gradient, false))).isTrue();
      Tensor rowsOfIt = narrow.select(Tensors.longs(2, 0, 2));
      assertThat(rowsOfIt.equal(wide.select(Tensors.longs(2, 0, 2)))).isTrue();
    }
  }

  /** The products of the rounded values, also in bfloat16. */
  @ParameterizedTest
  @CsvSource({"70,300,250", "3,30,25", "2,1000,1100"})
  void aMatrixIn8BitsGivesWhatItsRoundedValuesGive(int rows, int in, int out) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor values = random(1, out, in);
      Tensor rounded = Int8Rows.memory(values.numel()).view(out, in);
      Tensor scales = Tensors.empty(ElementType.F32, out, 1);
      Int8Rows.round(values, rounded, scales);
      Matrix matrix = new Matrix(rounded, scales).rows(1, out - 1);
      Tensor expected = rounded.to(ScalarType.Float).mul(scales).narrow(0, 1, out - 1);
      Tensor input = random(2, rows, in);
      assertClose(matrix.times(input, true), product(input, expected.t()));
      Tensor gradient = random(3, rows, out - 1);
      assertClose(matrix.times(gradient, false), product(gradient, expected));
      assertClose(
          matrix.select(Tensors.longs(3, 0)), expected.index_select(0, Tensors.longs(3, 0)));

      Matrix same = new Matrix(expected);
      same.enableBf16();
      matrix.enableBf16();
      assertThat(matrix.times(input, true).equal(same.times(input, true))).isTrue();
      same.disableBf16();
      matrix.disableBf16();
      assertClose(matrix.times(input, true), product(input, expected.t()));
    }
  }

  /** The copy of values in fp32 is not that of the values in bfloat16 that they stand in for. */
  @Test
  void valuesInBf16AreMultipliedAsTheyAreAndNotOverwritten() {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor stored = random(1, 30, 20).to(ScalarType.BFloat16);
      Tensor before = stored.clone();
      Tensor values = stored.detach();
      Tensor input = random(2, 5, 20);
      Matrix matrix = new Matrix(values);
      matrix.enableBf16();
      Tensor own = input.to(ScalarType.BFloat16).mm(before.t()).to(ScalarType.Float);
      assertThat(matrix.times(input, true).equal(own)).isTrue();
      values.set_data(random(3, 30, 20)); // as an adapter that trains the matrix in full
      matrix.enableBf16();
      assertThat(matrix.times(input, true).equal(own)).isFalse();
      values.set_data(stored);
      matrix.enableBf16();
      assertThat(stored.equal(before)).isTrue();
      assertThat(matrix.times(input, true).equal(own)).isTrue();
      matrix.disableBf16();
    }
  }

  /** A graph keeps the widened values, which the memory of the next product must not overwrite. */
  @Test
  void autogradDifferentiatesThroughMatricesIn16Bits() {
    try (TensorScope scope = TensorScope.open()) {
      Tensor first = random(1, 20, 30).to(ScalarType.BFloat16);
      Tensor second = random(2, 40, 20).to(ScalarType.BFloat16);
      Tensor input = random(3, 5, 30).set_requires_grad(true);
      Tensor inner = new Matrix(first).times(input, true);
      new Matrix(second).times(inner, true).sum().backward();
      Tensor expected = precise(second).sum(0).unsqueeze(0).mm(precise(first));
      assertClose(input.grad(), expected.expand(5, 30));
    }
  }

  /** The faster library's operators have no derivative. */
  @ParameterizedTest
  @CsvSource({"3,5,4", "130,300,250"})
  void autogradSeesEveryProduct(int rows, int in, int out) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor values = random(1, out, in).set_requires_grad(true);
      Tensor input = random(2, rows, in).set_requires_grad(true);
      assertThat(OneDnn.isFaster(input, values)).isFalse();
      new Matrix(values).times(input, true).sum().backward();
      assertClose(values.grad(), precise(input.sum(0).expand(out, in)));
      assertClose(input.grad(), precise(values.sum(0).expand(rows, in)));
    }
  }

  private static Tensor random(long seed, int rows, int columns) {
    double[] numbers = new Random(seed).doubles((long) rows * columns, -1, 1).toArray();
    return Tensors.doubles(numbers).to(ScalarType.Float).view(rows, columns);
  }

  private static Tensor precise(Tensor tensor) {
    return tensor.detach().to(ScalarType.Double);
  }

  private static Tensor product(Tensor left, Tensor right) {
    return precise(left).mm(precise(right));
  }

  /**
   * Sums of about a thousand products of numbers between -1 and 1, in 32 bits: about 20 large, and
   * off by at most 1,000 x 6e-8 x 20 = 1.2e-3; the root of 1,000 roundings gives 4e-5.
   */
  private static void assertClose(Tensor actual, Tensor expected) {
    assertThat(actual.shape()).isEqualTo(expected.shape());
    double largest = expected.abs().max().item_double();
    assertThat(precise(actual).sub(expected).abs().max().item_double())
        .isLessThan(1e-5 * Math.max(1, largest));
  }
}
