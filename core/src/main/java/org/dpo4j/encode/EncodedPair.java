package org.dpo4j.encode;

import org.dpo4j.data.RowOrigin;

/**
 * A preference pair as token ids, after truncation. The arrays are never changed after
 * construction.
 *
 * @param origin the row it came from
 * @param promptIds the prompt that both completions follow; may be empty
 * @param chosenIds completion y_w, including its end-of-sequence token; not empty
 * @param rejectedIds completion y_l, including its end-of-sequence token; not empty
 * @param weight the pair's weight in a step's loss, relative to the other pairs of the step;
 *     positive and finite
 */
@SuppressWarnings(
    "ArrayRecordComponent") // the largest data of a run: boxing would take 5 times the memory
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
   * Whether the pair has a prompt that can be compared with others'.
   *
   * @param bos the id that the tokenizer puts before any text, even an empty one; -1 for none
   */
  boolean hasPrompt(int bos) {
    return promptIds.length > 1 || (promptIds.length == 1 && promptIds[0] != bos);
  }

  /** Tokens of both sides as TRL counts them: the prompt once per side. */
  public int tokens() {
    return 2 * promptIds.length + chosenIds.length + rejectedIds.length;
  }
}
