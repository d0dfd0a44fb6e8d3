package org.dpo4j.model;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;

/**
 * The short convolution of LFM2: of the channels b, c and x of a token, in this order and of equal
 * width, y = c convolution(b x).
 */
public record GatedConvolution(CausalConvolution convolution) implements Recurrence {

  /** Takes the weights of a convolution, of so many channels of b, c and x each. */
  public static GatedConvolution take(
      Parameters parameters,
      ParameterSource source,
      String name,
      long channels,
      int kernel,
      boolean bias) {
    return new GatedConvolution(
        CausalConvolution.take(parameters, source, name, channels, kernel, bias));
  }

  @Override
  public List<Tensor> start(Tensor like) {
    return List.of(convolution.start(like));
  }

  @Override
  public Result read(Tensor input, List<Tensor> state) {
    TensorVector parts = input.chunk(3, -1);
    CausalConvolution.Convolved convolved =
        convolution.apply(parts.get(0).mul(parts.get(2)), state.get(0));
    return new Result(parts.get(1).mul(convolved.output()), List.of(convolved.window()));
  }
}
