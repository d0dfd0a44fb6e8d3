package org.dpo4j.model;

import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.Tensors;

/**
 * Layer normalization over the last dimension. Ba et al. 2016, arXiv 1607.06450.
 *
 * @param weight shape (hidden)
 * @param bias shape (hidden)
 * @param epsilon added to the variance
 */
public record LayerNorm(Tensor weight, Tensor bias, double epsilon) {

  /** Takes {@code name.weight} and {@code name.bias}. */
  public static LayerNorm take(
      Parameters parameters, ParameterSource source, String name, long hidden, double epsilon) {
    return new LayerNorm(
        parameters.take(source, name + ".weight", ParameterSource.Kind.NORM, hidden),
        parameters.take(source, name + ".bias", ParameterSource.Kind.NORM_BIAS, hidden),
        epsilon);
  }

  /** Applies the norm: shape (rows, hidden) in and out. */
  public Node apply(Node input) {
    if (!input.taped()) {
      return input.untaped(
          torch.layer_norm(
              input.value(),
              new long[] {weight.numel()},
              Tensors.optional(weight),
              Tensors.optional(bias),
              epsilon,
              false));
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
    return torch.native_layer_norm(
        input.value(),
        new long[] {weight.numel()},
        Tensors.optional(weight),
        Tensors.optional(bias),
        epsilon);
  }

  private void backward(Node input, Tensor mean, Tensor inverse, Tensor gradient) {
    boolean trained = weight.requires_grad();
    T_TensorTensorTensor_T gradients =
        torch.native_layer_norm_backward(
            gradient,
            input.value(),
            new long[] {weight.numel()},
            mean,
            inverse,
            Tensors.optional(weight),
            Tensors.optional(bias),
            Tensors.flags(true, trained, trained));
    input.accumulateOwned(gradients.get0());
    if (trained) {
      input.tape().recordVectorGradient(weight, gradients.get1());
      input.tape().recordVectorGradient(bias, gradients.get2());
    }
  }
}
