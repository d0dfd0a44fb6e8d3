package org.dpo4j.model;

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

  /** Shape (rows, hidden) in and out. */
  public Tensor apply(Tensor input) {
    return torch.layer_norm(
        input,
        new long[] {weight.numel()},
        Tensors.optional(weight),
        Tensors.optional(bias),
        epsilon,
        false);
  }
}
