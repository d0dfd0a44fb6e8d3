package org.dpo4j.model;

import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.Tensors;

/**
 * Root-mean-square normalization over the last dimension. Zhang and Sennrich 2019, arXiv
 * 1910.07467.
 *
 * @param weight shape (width)
 * @param offset added to the weight; Gemma's weights are differences from 1
 * @param epsilon added to the mean square
 */
public record RmsNorm(Tensor weight, double offset, double epsilon) implements Norm {

  /** Takes {@code name.weight}. */
  public static RmsNorm take(
      Parameters parameters,
      ParameterSource source,
      String name,
      long width,
      double offset,
      double epsilon) {
    ParameterSource.Kind kind =
        offset == 0 ? ParameterSource.Kind.NORM : ParameterSource.Kind.NORM_DIFFERENCE;
    return new RmsNorm(parameters.take(source, name + ".weight", kind, width), offset, epsilon);
  }

  private Tensor scale() {
    return offset == 0 ? weight : weight.add(Tensors.scalar(offset));
  }

  @Override
  public Node apply(Node input) {
    if (!input.taped()) {
      return input.untaped(
          torch.rms_norm(
              input.value(),
              new long[] {weight.numel()},
              Tensors.optional(scale()),
              new DoubleOptional(epsilon)));
    }
    Tensor inverse = input.tape().save(inverseRoot(input.value()));
    input.saveForBackward();
    return input
        .then(normed(input, inverse), gradient -> backward(input, inverse, gradient))
        .recomputeWith(() -> normed(input, inverse));
  }

  /** 1 / sqrt(mean of squares + epsilon), shape (..., 1). */
  private Tensor inverseRoot(Tensor input) {
    return input
        .norm(new ScalarOptional(Tensors.scalar(2)), new long[] {-1}, true)
        .square_()
        .div_(Tensors.scalar((double) weight.numel()))
        .add_(Tensors.scalar(epsilon))
        .rsqrt_();
  }

  private Tensor normed(Node input, Tensor inverse) {
    return input.value().mul(inverse).mul_(scale());
  }

  /**
   * With r the inverse root and w the scale: dx = r w dy - x r^3 mean(x w dy), dw = sum(r x dy).
   */
  private void backward(Node input, Tensor inverse, Tensor gradient) {
    Tensor scale = scale();
    Tensor product = gradient.mul(input.value());
    if (weight.requires_grad()) {
      Tensor rows = product.reshape(-1, weight.numel());
      input.tape().recordVectorGradient(weight, inverse.reshape(1, -1).mm(rows).view(-1));
    }
    Tensor factor = // of x
        product
            .matmul(scale)
            .unsqueeze(-1)
            .mul_(inverse)
            .mul_(inverse)
            .div_(Tensors.scalar(-(double) weight.numel()));
    input.accumulateOwned(gradient.mul(scale).addcmul_(input.value(), factor).mul_(inverse));
  }
}
