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
 */
@SuppressWarnings("ArrayRecordComponent") // the hottest data of a run; boxing would cost 5 times
public record EncodedPair(RowOrigin origin, int[] promptIds, int[] chosenIds, int[] rejectedIds) {

  /** Tokens of both sides as TRL counts them: the prompt once per side. */
  public int tokens() {
    return 2 * promptIds.length + chosenIds.length + rejectedIds.length;
  }
}
