package org.dpo4j.model.gpt;

/**
 * Sizes and switches of a {@link Gpt2}; names in messages follow {@code config.json}.
 *
 * @param vocabSize tokens of the vocabulary
 * @param hiddenSize width of the residual stream; divisible by heads
 * @param innerSize width of the MLP
 * @param layers blocks
 * @param heads attention heads
 * @param maxPositions longest sequence, in tokens
 * @param layerNormEpsilon added to the variance in norms
 * @param activation between the two matrices of the MLP
 * @param tiedHead whether the head is the embedding table
 */
public record Gpt2Config(
    int vocabSize,
    int hiddenSize,
    int innerSize,
    int layers,
    int heads,
    int maxPositions,
    double layerNormEpsilon,
    Activation activation,
    boolean tiedHead) {

  /** The nonlinearity of the MLP. */
  public enum Activation {
    /** GELU by its tanh approximation. Hendrycks and Gimpel 2016, arXiv 1606.08415. */
    GELU_TANH,
    /** GELU by the error function. */
    GELU,
    RELU
  }

  public Gpt2Config {
    positive("vocab_size", vocabSize);
    positive("n_embd", hiddenSize);
    positive("n_inner", innerSize);
    positive("n_layer", layers);
    positive("n_head", heads);
    positive("n_positions", maxPositions);
    if (hiddenSize % heads != 0) {
      throw new IllegalArgumentException(
          "n_embd must be a multiple of n_head (" + heads + ") but was " + hiddenSize);
    }
    if (!(layerNormEpsilon >= 0)) {
      throw new IllegalArgumentException(
          "layer_norm_epsilon must not be negative but was " + layerNormEpsilon);
    }
  }

  private static void positive(String key, int value) {
    if (value < 1) {
      throw new IllegalArgumentException(key + " must be positive but was " + value);
    }
  }
}
