package org.dpo4j.model;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** The rotary embeddings of a batch's tokens: one for each {@link Rope} of a model's layers. */
public final class Rotations {

  private static final long ALL = Long.MAX_VALUE;

  /** For models without rotary embedding. */
  public static final Rotations NONE = new Rotations(Map.of(), 0, ALL);

  private final Map<Rope, RotaryEmbedding> byRope; // of all tokens
  private final long from;
  private final long to;

  private Rotations(Map<Rope, RotaryEmbedding> byRope, long from, long to) {
    this.byRope = byRope;
    this.from = from;
    this.to = to;
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
    return new Rotations(byRope, 0, ALL);
  }

  /** The rotary embedding of layers with this rope, one of those given. */
  public RotaryEmbedding of(Rope rope) {
    RotaryEmbedding embedding = byRope.get(rope);
    if (embedding == null) {
      throw new IllegalArgumentException("no layer has " + rope);
    }
    return to == ALL ? embedding : embedding.rows(from, to);
  }

  /** The angles of tokens {@code start} (inclusive) to {@code end} (exclusive) of all tokens. */
  Rotations rows(long start, long end) {
    return new Rotations(byRope, start, end);
  }
}
