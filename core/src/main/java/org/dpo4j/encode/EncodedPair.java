package org.dpo4j.encode;

import org.dpo4j.data.RowOrigin;

/**
 * A preference pair as token ids, after truncation. The arrays are never changed after
 * construction.
 *
 * @param origin the row it came from
 * @param promptIds what both sides are conditioned on; may be empty
 * @param chosenIds completion y_w, an end-of-sequence token included; not empty
 * @param rejectedIds completion y_l, likewise
 * @param weight how much the pair counts in a step's loss, against the other pairs of the step;
 *     positive and finite
 */
@SuppressWarnings("ArrayRecordComponent") // the hottest data of a run; boxing would cost 5 times
public record EncodedPair(
    RowOrigin origin, int[] promptIds, int[] chosenIds, int[] rejectedIds, double weight) {

  public EncodedPair {
    if (!(weight > 0) || Double.isInfinite(weight)) { // !(>) refuses NaN too
      throw new IllegalArgumentException("weight must be positive and finite but was " + weight);
    }
  }

  /** A pair of weight 1. */
  public EncodedPair(RowOrigin origin, int[] promptIds, int[] chosenIds, int[] rejectedIds) {
    this(origin, promptIds, chosenIds, rejectedIds, 1);
  }

  /**
   * Whether there is a prompt to compare with those of other pairs.
   *
   * @param bos the id that a tokenizer puts before an empty text too; -1 for none
   */
  boolean hasPrompt(int bos) {
    return promptIds.length > 1 || (promptIds.length == 1 && promptIds[0] != bos);
  }

  /** Tokens of both sides as TRL counts them: the prompt once per side. */
  public int tokens() {
    return 2 * promptIds.length + chosenIds.length + rejectedIds.length;
  }
}
