package org.dpo4j.model;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * A convolution of each channel by itself: y_t = b + w_1 x_(t-k+1) + ... + w_k x_t, where x is zero
 * before the first token.
 *
 * @param weight shape (channels, 1, k)
 * @param bias shape (channels); null for none
 */
record CausalConvolution(Tensor weight, @Nullable Tensor bias) {

  /** Takes {@code name.weight} and, if {@code biased}, {@code name.bias}. */
  static CausalConvolution take(
      Parameters parameters,
      ParameterSource source,
      String name,
      long channels,
      int kernel,
      boolean biased) {
    Tensor weight =
        parameters.take(
            source, name + ".weight", ParameterSource.Kind.CONVOLUTION, channels, 1, kernel);
    return new CausalConvolution(
        weight,
        biased
            ? parameters.take(source, name + ".bias", ParameterSource.Kind.BIAS, channels)
            : null);
  }

  /**
   * The output, and the inputs that later tokens need.
   *
   * @param output shape (sequences, tokens, channels)
   * @param window shape (sequences, k - 1, channels)
   */
  record Convolved(Tensor output, Tensor window) {}

  private long kernel() {
    return weight.size(2);
  }

  /** The inputs before the first token. */
  Tensor start(Tensor like) {
    return Tensors.zerosLike(like, 1, kernel() - 1, weight.size(0));
  }

  /**
   * Convolves.
   *
   * @param input shape (sequences, tokens, channels)
   * @param before the last k - 1 inputs before these
   */
  Convolved apply(Tensor input, Tensor before) {
    long tokens = input.size(1);
    Tensor all = Tensors.cat(List.of(before, input), 1);
    Tensor factors = Matrix.widened(weight).squeeze(1); // (channels, k)
    Tensor sum = all.narrow(1, 0, tokens).mul(factors.select(1, 0));
    for (long i = 1; i < kernel(); i++) {
      sum = sum.addcmul(all.narrow(1, i, tokens), factors.select(1, i));
    }
    return new Convolved(bias == null ? sum : sum.add(bias), all.narrow(1, tokens, kernel() - 1));
  }
}
