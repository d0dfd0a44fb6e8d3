package org.dpo4j.model;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * Draws initial weights as PyTorch's modules do. A model that is built in the same order from the
 * same seed has the same weights as in Python after {@code manual_seed}.
 */
public final class RandomParameters implements ParameterSource {

  private final ElementType type;
  private final RandomNumbers random;
  private double fanIn = 1;

  public RandomParameters(ElementType type, RandomNumbers random) {
    this.type = type;
    this.random = random;
  }

  @Override
  public Tensor take(String name, Kind kind, long... shape) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor tensor = Tensors.empty(type, shape);
      switch (kind) {
        case MATRIX, ROUTER -> {
          fanIn = shape[1];
          // kaiming_uniform_ with a = sqrt(5), in PyTorch's order of rounding
          double gain = Math.sqrt(2.0 / (1 + 5));
          uniform(tensor, Math.sqrt(3.0) * (gain / Math.sqrt(fanIn)));
        }
        case CONVOLUTION -> {
          fanIn = shape[2];
          uniform(tensor, 1 / Math.sqrt(fanIn));
        }
        case EMBEDDING, SINKS, LOG_RATE -> random.normal(tensor);
        case BIAS -> uniform(tensor, 1 / Math.sqrt(fanIn));
        case NORM, MAGNITUDES -> tensor.fill_(Tensors.scalar(1.0));
        case NORM_BIAS, NORM_DIFFERENCE -> tensor.zero_();
      }
      return scope.disown(tensor);
    }
  }

  private void uniform(Tensor tensor, double bound) {
    random.uniform(tensor, -bound, bound);
  }
}
