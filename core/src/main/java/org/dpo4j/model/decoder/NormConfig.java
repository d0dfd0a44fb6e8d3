package org.dpo4j.model.decoder;

import org.jspecify.annotations.Nullable;

/**
 * Kind and places of the norms. A place is the norm's name in a block, or null for none.
 *
 * @param kind of all norms
 * @param epsilon added to the mean square or variance
 * @param beforeAttention of its input
 * @param afterAttention of its output, before the residual sum
 * @param beforeMlp of its input; may be the same norm as before attention
 * @param afterMlp of its output, before the residual sum
 * @param last name of the norm after the last block
 */
public record NormConfig(
    Kind kind,
    double epsilon,
    @Nullable String beforeAttention,
    @Nullable String afterAttention,
    @Nullable String beforeMlp,
    @Nullable String afterMlp,
    String last) {

  /** The formula of a norm. */
  public enum Kind {
    /** {@link org.dpo4j.model.RmsNorm}. */
    RMS,
    /** The same, with the weight less 1 in the checkpoint, as in Gemma. */
    RMS_DIFFERENCE,
    /** {@link org.dpo4j.model.LayerNorm} with weight and bias. */
    LAYER,
    /** The same without bias. */
    LAYER_UNBIASED,
    /** The same with bias, and with the weight less 1 in the checkpoint, as in Nemotron. */
    LAYER_DIFFERENCE,
    /** The same without weight and bias. */
    LAYER_PLAIN;

    /** Whether it divides by the root of the mean square, without subtracting the mean. */
    public boolean isRms() {
      return this == RMS || this == RMS_DIFFERENCE;
    }

    /** Whether it has a bias. */
    public boolean isBiased() {
      return this == LAYER || this == LAYER_DIFFERENCE;
    }

    /** What the formula adds to the weight in the checkpoint. */
    public int offset() {
      return this == RMS_DIFFERENCE || this == LAYER_DIFFERENCE ? 1 : 0;
    }
  }

  public NormConfig {
    if (!(epsilon >= 0)) {
      throw new IllegalArgumentException(
          "the epsilon of norms must not be negative but was " + epsilon);
    }
  }

  /** The same places with another kind of norm. */
  public NormConfig withKind(Kind other) {
    return new NormConfig(
        other, epsilon, beforeAttention, afterAttention, beforeMlp, afterMlp, last);
  }

  /** The same kind before attention and MLP only. */
  public NormConfig before(String attention, String mlp) {
    return new NormConfig(kind, epsilon, attention, null, mlp, null, last);
  }

  /** The same kind after attention and MLP only. */
  public NormConfig after(String attention, String mlp) {
    return new NormConfig(kind, epsilon, null, attention, null, mlp, last);
  }

  /** The same kind before and after both. */
  public NormConfig around(
      String beforeAttention, String afterAttention, String beforeMlp, String afterMlp) {
    return new NormConfig(
        kind, epsilon, beforeAttention, afterAttention, beforeMlp, afterMlp, last);
  }

  /** The same with another name of the norm after the last block. */
  public NormConfig withLast(String name) {
    return new NormConfig(
        kind, epsilon, beforeAttention, afterAttention, beforeMlp, afterMlp, name);
  }
}
