package org.dpo4j.demo;

/**
 * Sizes of a {@link TinyGpt}.
 *
 * @param vocabSize tokens of the vocabulary
 * @param hidden width; divisible by heads
 * @param heads attention heads
 * @param depth blocks
 * @param maxPositions longest sequence, in tokens
 */
public record TinyGptConfig(int vocabSize, int hidden, int heads, int depth, int maxPositions) {

  /** The model of the demo. */
  public static final TinyGptConfig DEMO = new TinyGptConfig(260, 64, 4, 2, 128);

  /** The cheaper model that the demo distills as a reference. */
  public static final TinyGptConfig DISTILLED = new TinyGptConfig(260, 32, 2, 1, 128);

  public TinyGptConfig {
    if (vocabSize < 1 || hidden < 1 || heads < 1 || depth < 1 || maxPositions < 1) {
      throw new IllegalArgumentException(
          "all sizes must be positive but were "
              + vocabSize
              + ", "
              + hidden
              + ", "
              + heads
              + ", "
              + depth
              + ", "
              + maxPositions);
    }
    if (hidden % heads != 0) {
      throw new IllegalArgumentException(
          "hidden must be divisible by heads but " + hidden + " is not by " + heads);
    }
  }
}
