package org.dpo4j.model;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** The rotary embeddings of a batch's tokens: one for each {@link Rope} of a model's layers. */
public final class Rotations {

  /** For models without rotary embedding. */
  public static final Rotations NONE = new Rotations(Map.of());

  private final Map<Rope, RotaryEmbedding> byRope;

  private Rotations(Map<Rope, RotaryEmbedding> byRope) {
    this.byRope = byRope;
  }

  /**
   * Computes the angles, once for all layers.
   *
   * @param positions int64, shape (tokens)
   * @param like gives the floating type
   */
  public static Rotations of(Collection<Rope> ropes, Tensor positions, Tensor like) {
    Map<Rope, RotaryEmbedding> byRope = new HashMap<>();
    for (Rope rope : ropes) {
      byRope.computeIfAbsent(rope, r -> new RotaryEmbedding(positions, r, like));
    }
    return new Rotations(byRope);
  }

  /** The rotary embedding of layers with this rope, one of those given. */
  public RotaryEmbedding of(Rope rope) {
    RotaryEmbedding embedding = byRope.get(rope);
    if (embedding == null) {
      throw new IllegalArgumentException("no layer has " + rope);
    }
    return embedding;
  }

  /** The angles of tokens {@code from} (inclusive) to {@code to} (exclusive). */
  Rotations rows(long from, long to) {
    Map<Rope, RotaryEmbedding> rows = new HashMap<>();
    byRope.forEach((rope, embedding) -> rows.put(rope, embedding.rows(from, to)));
    return new Rotations(rows);
  }
}
