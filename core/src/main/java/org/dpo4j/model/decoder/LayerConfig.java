package org.dpo4j.model.decoder;

import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.Rope;
import org.jspecify.annotations.Nullable;

/**
 * What may differ between the layers of a model.
 *
 * @param rope of queries and keys; null for a layer without rotary embedding
 * @param window number of tokens that a token attends to, as in {@link AttentionLayer}
 * @param scale factor of the scores
 * @param sparse whether the layer has experts instead of an MLP
 * @param recurrent whether the layer has a recurrence instead of attention
 */
public record LayerConfig(
    @Nullable Rope rope, int window, double scale, boolean sparse, boolean recurrent) {

  /** A layer with a recurrence and an MLP. */
  public static final LayerConfig RECURRENT =
      new LayerConfig(null, AttentionLayer.ALL, 1, false, true);

  /** A layer with attention and an MLP. */
  public LayerConfig(@Nullable Rope rope, int window, double scale) {
    this(rope, window, scale, false, false);
  }

  /** Whether both have attention or a recurrence, and both experts or an MLP. */
  boolean sameKindAs(LayerConfig other) {
    return sparse == other.sparse && recurrent == other.recurrent;
  }

  /** The same with experts, or with an MLP. */
  public LayerConfig withExperts(boolean experts) {
    return new LayerConfig(rope, window, scale, experts, recurrent);
  }

  /** The same with another factor of the scores. */
  public LayerConfig withScale(double factor) {
    return new LayerConfig(rope, window, factor, sparse, recurrent);
  }
}
