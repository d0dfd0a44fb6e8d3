package org.dpo4j.model.llama;

/**
 * Sizes and switches of a {@link Llama}; names follow {@code config.json}.
 *
 * @param vocabSize tokens of the vocabulary
 * @param hiddenSize width of the residual stream
 * @param intermediateSize width of the MLP
 * @param layers blocks
 * @param heads query heads
 * @param keyValueHeads key and value heads; divides heads
 * @param headDim width of a head, even; heads x headDim need not be hiddenSize
 * @param maxPositions longest sequence, in tokens
 * @param rmsNormEpsilon added to the mean square in norms
 * @param ropeTheta base of the rotary frequencies
 * @param tiedHead whether the head is the embedding table
 * @param attentionBias whether q, k, v and o have biases
 * @param mlpBias whether gate, up and down have biases
 */
public record LlamaConfig(
    int vocabSize,
    int hiddenSize,
    int intermediateSize,
    int layers,
    int heads,
    int keyValueHeads,
    int headDim,
    int maxPositions,
    double rmsNormEpsilon,
    double ropeTheta,
    boolean tiedHead,
    boolean attentionBias,
    boolean mlpBias) {

  public LlamaConfig {
    positive("vocab_size", vocabSize);
    positive("hidden_size", hiddenSize);
    positive("intermediate_size", intermediateSize);
    positive("num_hidden_layers", layers);
    positive("num_attention_heads", heads);
    positive("num_key_value_heads", keyValueHeads);
    positive("head_dim", headDim);
    positive("max_position_embeddings", maxPositions);
    if (heads % keyValueHeads != 0) {
      throw new IllegalArgumentException(
          "num_attention_heads must be a multiple of num_key_value_heads ("
              + keyValueHeads
              + ") but was "
              + heads);
    }
    if (headDim % 2 != 0) {
      throw new IllegalArgumentException("head_dim must be even but was " + headDim);
    }
    if (!(rmsNormEpsilon >= 0)) {
      throw new IllegalArgumentException(
          "rms_norm_eps must not be negative but was " + rmsNormEpsilon);
    }
    if (!(ropeTheta > 0)) {
      throw new IllegalArgumentException("rope_theta must be positive but was " + ropeTheta);
    }
  }

  private static void positive(String key, int value) {
    if (value < 1) {
      throw new IllegalArgumentException(key + " must be positive but was " + value);
    }
  }
}
