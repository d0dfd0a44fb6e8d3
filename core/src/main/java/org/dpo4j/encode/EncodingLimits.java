package org.dpo4j.encode;

/**
 * How long a row may be and which ids it may hold.
 *
 * @param maxLength prompt and one completion are cut to this many ids together; 0 cuts nothing
 * @param maxPositions the model's positions: a longer row that nothing cuts is a bad row
 * @param vocabSize the model's vocabulary: ids are below it
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
