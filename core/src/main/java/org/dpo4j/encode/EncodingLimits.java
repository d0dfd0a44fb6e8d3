package org.dpo4j.encode;

/**
 * Bounds on the length of a row and on its ids.
 *
 * @param maxLength prompt plus one completion are truncated to this many ids; 0 means no truncation
 * @param maxPositions the model's positions: a longer row that is not truncated is a bad row
 * @param vocabSize the model's vocabulary: ids must be below it
 */
public record EncodingLimits(int maxLength, int maxPositions, int vocabSize) {

  public EncodingLimits {
    if (maxLength < 0 || maxPositions < 1 || vocabSize < 1) {
      throw new IllegalArgumentException(
          "limits must be positive (maxLength 0 or more) but were %d, %d, %d"
              .formatted(maxLength, maxPositions, vocabSize));
    }
  }

  boolean cuts() {
    return maxLength > 0;
  }
}
