package org.dpo4j.model;

import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.torch.Tensors;

/**
 * Root-mean-square normalization over the last dimension. Zhang and Sennrich 2019, arXiv
 * 1910.07467.
 *
 * @param weight shape (hidden)
 * @param epsilon added to the mean square
 */
public record RmsNorm(Tensor weight, double epsilon) {

  /** Takes {@code name.weight}. */
  public static RmsNorm take(
      Parameters parameters, ParameterSource source, String name, long hidden, double epsilon) {
    return new RmsNorm(
        parameters.take(source, name + ".weight", ParameterSource.Kind.NORM, hidden), epsilon);
  }

  /** Shape (rows, hidden) in and out. */
  public Tensor apply(Tensor input) {
    return torch.rms_norm(
        input, new long[] {weight.numel()}, Tensors.optional(weight), new DoubleOptional(epsilon));
  }
}
