package org.dpo4j.model;

import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * Initial weights as PyTorch's modules draw them, from libtorch's default generator: built in the
 * same order after the same {@code manual_seed}, a model has the same weights as in Python.
 */
public final class RandomParameters implements ParameterSource {

  private final ElementType type;
  private double fanIn = 1;

  public RandomParameters(ElementType type) {
    this.type = type;
  }

  @Override
  public Tensor take(String name, Kind kind, long... shape) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor tensor = Tensors.empty(type, shape);
      switch (kind) {
        case MATRIX -> {
          fanIn = shape[1];
          // kaiming_uniform_ with a = sqrt(5), written so that it rounds as PyTorch's does
          double gain = Math.sqrt(2.0 / (1 + 5));
          uniform(tensor, Math.sqrt(3.0) * (gain / Math.sqrt(fanIn)));
        }
        case EMBEDDING -> tensor.normal_(0.0, 1.0, new GeneratorOptional());
        case BIAS -> uniform(tensor, 1 / Math.sqrt(fanIn));
        case NORM -> tensor.fill_(Tensors.scalar(1.0));
        case NORM_BIAS -> tensor.zero_();
      }
      return scope.keep(tensor);
    }
  }

  private static void uniform(Tensor tensor, double bound) {
    tensor.uniform_(-bound, bound, new GeneratorOptional());
  }
}
