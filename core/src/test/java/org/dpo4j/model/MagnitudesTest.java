package org.dpo4j.model;

import static org.assertj.core.api.Assertions.assertThat;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Closes: a DoRA layer that scales its bias, or treats dropout otherwise than PEFT. */
class MagnitudesTest {

  /** W = (3 0; 0 2), b = (1 1), B A = (0 4; 0 0), so |V| = (5 2); m = (10 1). */
  private static double[] output(Node input, Node seen) {
    Tensor weight = Tensors.floats(3, 0, 0, 2).view(2, 2);
    AdapterSlot slot = new AdapterSlot("fc", weight, false, false);
    Magnitudes magnitudes = new Magnitudes(Tensors.floats(10, 1), Tensors.floats(5, 2));
    slot.attach(
        new AdapterSlot.Adapter() {
          @Override
          public Node seen(Node ignored) {
            return seen;
          }

          @Override
          public Product product(Node of) {
            Node low = new Linear(Tensors.floats(0, 2).view(1, 2), null).apply(of);
            return new Product(low, new Matrix(Tensors.floats(2, 0).view(2, 1)));
          }

          @Override
          public @Nullable Magnitudes magnitudes() {
            return magnitudes;
          }
        });
    Linear layer = new Linear(new Matrix(weight), false, Tensors.floats(1, 1), slot);
    return Tensors.toDoubles(layer.apply(input).value());
  }

  @Test
  void theRowsAreAsLongAsTheMagnitudesAndTheBiasStays() {
    try (TensorScope scope = TensorScope.open()) {
      Node x = Node.of(Tensors.floats(1, 2).view(1, 2));
      // V x = (3 + 8, 4); times (10/5, 1/2), plus b.
      assertThat(output(x, x)).containsExactly(2 * 11 + 1, 0.5 * 4 + 1);
    }
  }

  @Test
  void dropoutActsOnTheWholeChange() {
    try (TensorScope scope = TensorScope.open()) {
      Node x = Node.of(Tensors.floats(1, 2).view(1, 2));
      Node dropped = Node.of(Tensors.floats(0, 4).view(1, 2));
      // W x + b = (4 5); W d(x) = (0 8); V d(x) = (16 8).
      assertThat(output(x, dropped)).containsExactly(4 - 0 + 2 * 16, 5 - 8 + 0.5 * 8);
    }
  }
}
