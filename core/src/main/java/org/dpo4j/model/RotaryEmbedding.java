package org.dpo4j.model;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.dpo4j.torch.Tensors;

/**
 * Rotary position embedding: each pair of channels (i, i + headDim/2) of a query or key turns by
 * position x frequency i, which is theta^(-2i/headDim) or what {@link RopeScaling} makes of it. Su
 * et al. 2021, arXiv 2104.09864; the pairing is that of Hugging Face checkpoints.
 */
public final class RotaryEmbedding {

  private final Tensor cos; // (tokens, 1, headDim)
  private final Tensor sin; // (tokens, 1, headDim)

  /**
   * Computes the angles of some tokens, once for all layers.
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
            .mul(Tensors.floats(rope.frequencies(headDim)).unsqueeze(0)); // (tokens, headDim/2)
    Tensor angles = Tensors.cat(List.of(half, half), 1).unsqueeze(1); // (tokens, 1, headDim)
    cos = magnified(angles.cos(), rope).to(like.scalar_type().intern());
    sin = magnified(angles.sin(), rope).to(like.scalar_type().intern());
  }

  private static Tensor magnified(Tensor part, Rope rope) {
    double magnitude = rope.scaling().magnitude();
    return magnitude == 1 ? part : part.mul(Tensors.scalar(magnitude));
  }

  /** Turns queries or keys: shape (tokens, heads, headDim) in and out. */
  public Tensor apply(Tensor states) {
    long half = states.size(2) / 2;
    Tensor first = states.narrow(2, 0, half);
    Tensor second = states.narrow(2, half, half);
    Tensor turned = Tensors.cat(List.of(second.neg(), first), 2);
    return states.mul(cos).add(turned.mul(sin));
  }
}
