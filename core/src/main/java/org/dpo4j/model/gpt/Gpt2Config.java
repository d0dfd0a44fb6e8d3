package org.dpo4j.model.gpt;

import java.util.Collections;
import java.util.List;
import org.dpo4j.model.Activation;
import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.ModelShape;

/**
 * Sizes and switches of a {@link Gpt2}; names in messages follow {@code config.json}.
 *
 * @param vocabSize tokens of the vocabulary
 * @param hiddenSize width of the residual stream; divisible by heads
 * @param innerSize width of the MLP
 * @param layers number of blocks
 * @param heads number of attention heads
 * @param maxPositions longest sequence, in tokens
 * @param layerNormEpsilon added to the variance in norms
 * @param activation of the MLP, between its two matrices
 * @param scaledScores whether attention scores are divided by sqrt(headDim)
 * @param scaledByLayer whether the scores of layer i, from 0, are also divided by i + 1
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
    boolean scaledScores,
    boolean scaledByLayer,
    boolean tiedHead) {

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

  int headDim() {
    return hiddenSize / heads;
  }

  /** The attention settings of a layer. */
  AttentionLayer attention(int layer) {
    double scale = scaledScores ? 1 / Math.sqrt(headDim()) : 1;
    return new AttentionLayer(
        layer, scaledByLayer ? scale / (layer + 1) : scale, AttentionLayer.ALL);
  }

  /** A copy with the first {@code count} blocks. */
  public Gpt2Config withLayers(int count) {
    return with(Math.min(count, layers), tiedHead);
  }

  /** The same with the embedding table for a head. */
  public Gpt2Config withTiedHead() {
    return with(layers, true);
  }

  private Gpt2Config with(int blocks, boolean tied) {
    return new Gpt2Config(
        vocabSize,
        hiddenSize,
        innerSize,
        blocks,
        heads,
        maxPositions,
        layerNormEpsilon,
        activation,
        scaledScores,
        scaledByLayer,
        tied);
  }

  /** The sizes that decide memory and compute. */
  public ModelShape shape() {
    List<ModelShape.LinearShape> linears =
        List.of(
            new ModelShape.LinearShape("attn.c_attn", hiddenSize, 3L * hiddenSize),
            new ModelShape.LinearShape("attn.c_proj", hiddenSize, hiddenSize),
            new ModelShape.LinearShape("mlp.c_fc", hiddenSize, innerSize),
            new ModelShape.LinearShape("mlp.c_proj", innerSize, hiddenSize));
    long norm = 2L * hiddenSize;
    long block =
        2 * norm + linears.stream().mapToLong(linear -> linear.weights() + linear.out()).sum();
    long table = (long) vocabSize * hiddenSize;
    return new ModelShape(
        vocabSize,
        hiddenSize,
        heads,
        heads,
        headDim(),
        innerSize,
        false,
        false,
        tiedHead,
        Collections.nCopies(layers, AttentionLayer.ALL),
        "transformer.h",
        linears,
        layers * block + (tiedHead ? table : 2 * table) + (long) maxPositions * hiddenSize + norm);
  }

  private static void positive(String key, int value) {
    if (value < 1) {
      throw new IllegalArgumentException(key + " must be positive but was " + value);
    }
  }
}
