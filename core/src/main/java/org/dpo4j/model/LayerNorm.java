package org.dpo4j.model;

import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * Layer normalization over the last dimension. Ba et al. 2016, arXiv 1607.06450.
 *
 * @param width size of the last dimension
 * @param weight shape (width); null for none
 * @param bias shape (width); null for none
 * @param offset added to the weight; Nemotron's weights are differences from 1
 * @param epsilon added to the variance
 */
public record LayerNorm(
    long width, @Nullable Tensor weight, @Nullable Tensor bias, double offset, double epsilon)
    implements Norm {

  /** A norm without weights. */
  public static LayerNorm plain(long width, double epsilon) {
    return new LayerNorm(width, null, null, 0, epsilon);
  }

  /** Takes {@code name.weight} and, if {@code biased}, {@code name.bias}. */
  public static LayerNorm take(
      Parameters parameters,
      ParameterSource source,
      String name,
      long width,
      boolean biased,
      double offset,
      double epsilon) {
    ParameterSource.Kind kind =
        offset == 0 ? ParameterSource.Kind.NORM : ParameterSource.Kind.NORM_DIFFERENCE;
    return new LayerNorm(
        width,
        parameters.take(source, name + ".weight", kind, width),
        biased
            ? parameters.take(source, name + ".bias", ParameterSource.Kind.NORM_BIAS, width)
            : null,
        offset,
        epsilon);
  }

  private TensorOptional scale() {
    if (weight == null) {
      return Tensors.none();
    }
    return Tensors.optional(offset == 0 ? weight : weight.add(Tensors.scalar(offset)));
  }

  private TensorOptional shift() {
    return bias == null ? Tensors.none() : Tensors.optional(bias);
  }

  @Override
  public Node apply(Node input) {
    if (!input.taped()) {
      return input.untaped(
          torch.layer_norm(input.value(), new long[] {width}, scale(), shift(), epsilon, false));
    }
    T_TensorTensorTensor_T normed = normed(input);
    Tensor mean = input.tape().save(normed.get1());
    Tensor inverse = input.tape().save(normed.get2());
    input.saveForBackward();
    return input
        .then(normed.get0(), gradient -> backward(input, mean, inverse, gradient))
        .recomputeWith(() -> normed(input).get0());
  }

  private T_TensorTensorTensor_T normed(Node input) {
    return torch.native_layer_norm(input.value(), new long[] {width}, scale(), shift(), epsilon);
  }

  private void backward(Node input, Tensor mean, Tensor inverse, Tensor gradient) {
    boolean scaled = weight != null && weight.requires_grad();
    boolean shifted = bias != null && bias.requires_grad();
    T_TensorTensorTensor_T gradients =
        torch.native_layer_norm_backward(
            gradient,
            input.value(),
            new long[] {width},
            mean,
            inverse,
            scale(),
            shift(),
            Tensors.flags(true, scaled, shifted));
    input.accumulateOwned(gradients.get0());
    if (weight != null && scaled) {
      input.tape().recordVectorGradient(weight, gradients.get1());
    }
    if (bias != null && shifted) {
      input.tape().recordVectorGradient(bias, gradients.get2());
    }
  }
}
