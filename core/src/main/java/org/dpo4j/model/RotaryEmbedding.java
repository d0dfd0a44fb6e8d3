package org.dpo4j.model;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * Rotary position embedding: rotates pairs of channels of a query or key by position x frequency of
 * the pair. The frequency of pair i is theta^(-2i/width), changed by {@link RopeScaling}; {@link
 * Rope} says which channels are pairs. Su et al. 2021, arXiv 2104.09864.
 */
public final class RotaryEmbedding {

  private final Rope rope;
  private final Tensor cos; // (tokens, 1, width), of each channel; (tokens, 1, width/2) interleaved
  private final Tensor sin; // (tokens, 1, width/2)
  private final @Nullable Tensor queryScale; // (tokens, 1, 1)

  private RotaryEmbedding(Rope rope, Tensor cos, Tensor sin, @Nullable Tensor queryScale) {
    this.rope = rope;
    this.cos = cos;
    this.sin = sin;
    this.queryScale = queryScale;
  }

  /**
   * Computes the angles, once for all layers.
   *
   * @param positions int64, shape (tokens)
   * @param rope gives the frequencies
   * @param like gives the floating type
   */
  public RotaryEmbedding(Tensor positions, Rope rope, Tensor like) {
    this.rope = rope;
    ScalarType type = like.scalar_type().intern();
    Tensor frequencies =
        Tensors.floats(rope.frequencies()).to(positions.device(), ScalarType.Float);
    Tensor half =
        positions
            .to(ScalarType.Float)
            .unsqueeze(1)
            .mul(frequencies.unsqueeze(0)); // (tokens, width/2)
    Tensor angles = half.unsqueeze(1); // (tokens, 1, width/2)
    Tensor cosine = magnified(angles.cos(), rope).to(type);
    cos = rope.interleaved() ? cosine : Tensors.cat(List.of(cosine, cosine), 2);
    sin = magnified(angles.sin(), rope).to(type);
    queryScale =
        rope.queryScaling() == null ? null : queryScale(positions, rope.queryScaling()).to(type);
  }

  private static Tensor magnified(Tensor part, Rope rope) {
    double magnitude = rope.scaling().magnitude();
    return magnitude == 1 ? part : part.mul(Tensors.scalar(magnitude));
  }

  private static Tensor queryScale(Tensor positions, Rope.QueryScaling scaling) {
    return positions
        .to(ScalarType.Float)
        .div(Tensors.scalar((double) scaling.originalPositions()))
        .floor_()
        .log1p_()
        .mul_(Tensors.scalar(scaling.beta()))
        .add_(Tensors.scalar(1.0))
        .view(-1, 1, 1);
  }

  /** The angles of tokens {@code from} (inclusive) to {@code to} (exclusive). */
  RotaryEmbedding rows(long from, long to) {
    return new RotaryEmbedding(
        rope,
        Tensors.rows(cos, 0, from, to),
        Tensors.rows(sin, 0, from, to),
        queryScale == null ? null : Tensors.rows(queryScale, 0, from, to));
  }

  /** Rotates queries, and scales them where the rope says so: (tokens, heads, headDim). */
  public Node query(Node states) {
    Node rotated = key(states);
    return queryScale == null ? rotated : rotated.scale(queryScale);
  }

  /** Rotates keys: shape (tokens, heads, headDim) in and out. */
  public Node key(Node states) {
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
  private Tensor rotated(Tensor states, Tensor cosine, Tensor sine, int direction) {
    return rope.interleaved()
        ? rotatedNeighbours(states, cosine, sine, direction)
        : rotatedHalves(states, cosine, sine, direction);
  }

  private Tensor rotatedHalves(Tensor states, Tensor cosine, Tensor sine, int direction) {
    int width = rope.width();
    long half = width / 2;
    Tensor rotated;
    if (states.size(2) == width) {
      rotated = states.mul(cosine);
    } else {
      rotated = states.clone();
      rotated.narrow(2, 0, width).mul_(cosine);
    }
    rotated
        .narrow(2, 0, half)
        .addcmul_(states.narrow(2, half, half), sine, Tensors.scalar(-direction));
    rotated
        .narrow(2, half, half)
        .addcmul_(states.narrow(2, 0, half), sine, Tensors.scalar(direction));
    return rotated;
  }

  private Tensor rotatedNeighbours(Tensor states, Tensor cosine, Tensor sine, int direction) {
    Tensor rotated = states.clone();
    Tensor evens = pairs(states).select(3, 0);
    Tensor odds = pairs(states).select(3, 1);
    pairs(rotated).select(3, 0).mul_(cosine).addcmul_(odds, sine, Tensors.scalar(-direction));
    pairs(rotated).select(3, 1).mul_(cosine).addcmul_(evens, sine, Tensors.scalar(direction));
    return rotated;
  }

  /** The rotated channels, shape (tokens, heads, width/2, 2), a view. */
  private Tensor pairs(Tensor states) {
    return states.narrow(2, 0, rope.width()).unflatten(2, new long[] {rope.width() / 2, 2});
  }
}
