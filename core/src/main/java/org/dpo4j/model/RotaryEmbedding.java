package org.dpo4j.model;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.dpo4j.torch.Tensors;

/**
 * Rotary position embedding: rotates each pair of channels (i, i + headDim/2) of a query or key by
 * position x frequency i. The frequency is theta^(-2i/headDim), scaled by {@link RopeScaling}. Su
 * et al. 2021, arXiv 2104.09864; the pairing is that of Hugging Face checkpoints.
 */
public final class RotaryEmbedding {

  private final Tensor cos; // (tokens, 1, headDim): the same for both halves
  private final Tensor sin; // (tokens, 1, headDim/2)

  private RotaryEmbedding(Tensor cos, Tensor sin) {
    this.cos = cos;
    this.sin = sin;
  }

  /**
   * Computes the angles, once for all layers.
   *
   * @param positions int64, shape (tokens)
   * @param headDim even
   * @param rope gives the frequencies
   * @param like gives the floating type
   */
  public RotaryEmbedding(Tensor positions, int headDim, Rope rope, Tensor like) {
    Tensor half =
        positions
            .to(ScalarType.Float)
            .unsqueeze(1)
            .mul(frequencies(positions, headDim, rope).unsqueeze(0)); // (tokens, headDim/2)
    Tensor angles = half.unsqueeze(1); // (tokens, 1, headDim/2)
    Tensor cosine = magnified(angles.cos(), rope).to(like.scalar_type().intern());
    cos = Tensors.cat(List.of(cosine, cosine), 2);
    sin = magnified(angles.sin(), rope).to(like.scalar_type().intern());
  }

  private static Tensor frequencies(Tensor positions, int headDim, Rope rope) {
    return Tensors.floats(rope.frequencies(headDim)).to(positions.device(), ScalarType.Float);
  }

  private static Tensor magnified(Tensor part, Rope rope) {
    double magnitude = rope.scaling().magnitude();
    return magnitude == 1 ? part : part.mul(Tensors.scalar(magnitude));
  }

  /** The angles of tokens {@code from} (inclusive) to {@code to} (exclusive). */
  RotaryEmbedding rows(long from, long to) {
    return new RotaryEmbedding(Tensors.rows(cos, 0, from, to), Tensors.rows(sin, 0, from, to));
  }

  /** Rotates queries or keys: shape (tokens, heads, headDim) in and out. */
  public Node apply(Node states) {
    Tensor rotated = rotated(states.value(), cos, sin, 1);
    if (!states.taped()) {
      return states.untaped(rotated);
    }
    Tensor cosine = states.tape().hold(cos);
    Tensor sine = states.tape().hold(sin);
    // The transpose of a rotation is the rotation by the opposite angle.
    return states.then(
        rotated, gradient -> states.accumulateOwned(rotated(gradient, cosine, sine, -1)));
  }

  /**
   * Rotates.
   *
   * @param direction 1, or -1 for the opposite angle
   */
  private static Tensor rotated(Tensor states, Tensor cosine, Tensor sine, int direction) {
    long half = states.size(2) / 2;
    Tensor rotated = states.mul(cosine);
    rotated
        .narrow(2, 0, half)
        .addcmul_(states.narrow(2, half, half), sine, Tensors.scalar(-direction));
    rotated
        .narrow(2, half, half)
        .addcmul_(states.narrow(2, 0, half), sine, Tensors.scalar(direction));
    return rotated;
  }
}
