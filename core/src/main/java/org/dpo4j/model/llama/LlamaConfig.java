package org.dpo4j.model.llama;

import java.util.ArrayList;
import java.util.List;
import org.dpo4j.model.Activation;
import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.ModelShape;
import org.dpo4j.model.Rope;

/**
 * Sizes and switches of a {@link Llama}; names in messages follow {@code config.json}.
 *
 * @param vocabSize number of tokens in the vocabulary
 * @param hiddenSize width of the residual stream
 * @param intermediateSize width of the MLP
 * @param heads number of query heads
 * @param keyValueHeads number of key heads, and of value heads; divides heads
 * @param headDim width of a head, even; heads x headDim need not be hiddenSize
 * @param maxPositions maximum length of a sequence, in tokens
 * @param rmsNormEpsilon added to the mean square in norms
 * @param rope of the layers with rotary embedding
 * @param activation of the MLP's gate
 * @param biases which linear layers have a bias
 * @param headNorms whether each query and key head is normalized
 * @param fused whether q, k and v are one matrix, and gate and up another
 * @param tiedHead whether the head is the embedding table
 * @param padding the token whose embedding receives no gradient, as {@code pad_token_id} in
 *     transformers; {@link CausalLm.EmbeddingTable#NONE} for no such token
 * @param layers settings of each layer, in order
 */
public record LlamaConfig(
    int vocabSize,
    int hiddenSize,
    int intermediateSize,
    int heads,
    int keyValueHeads,
    int headDim,
    int maxPositions,
    double rmsNormEpsilon,
    Rope rope,
    Activation activation,
    Biases biases,
    boolean headNorms,
    boolean fused,
    boolean tiedHead,
    int padding,
    List<Layer> layers) {

  /** Which linear layers have a bias: q, k and v; o; gate, up and down. */
  public record Biases(boolean queryKeyValue, boolean output, boolean mlp) {
    public static final Biases NONE = new Biases(false, false, false);
  }

  /**
   * The settings of a layer.
   *
   * @param rotary whether it has rotary embedding
   * @param window number of tokens that a token attends to, as in {@link AttentionLayer}
   */
  public record Layer(boolean rotary, int window) {
    /** Rotary, and a token sees all that comes before it. */
    public static final Layer FULL = new Layer(true, AttentionLayer.ALL);
  }

  public LlamaConfig {
    layers = List.copyOf(layers);
    positive("vocab_size", vocabSize);
    positive("hidden_size", hiddenSize);
    positive("intermediate_size", intermediateSize);
    positive("num_hidden_layers", layers.size());
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
    if (!(rope.theta() > 0)) {
      throw new IllegalArgumentException("rope_theta must be positive but was " + rope.theta());
    }
  }

  /** The same with its first blocks only. */
  public LlamaConfig withLayers(int count) {
    return with(tiedHead, layers.subList(0, Math.min(count, layers.size())));
  }

  /** The same with the embedding table for a head. */
  public LlamaConfig withTiedHead() {
    return with(true, layers);
  }

  private LlamaConfig with(boolean tied, List<Layer> blocks) {
    return new LlamaConfig(
        vocabSize,
        hiddenSize,
        intermediateSize,
        heads,
        keyValueHeads,
        headDim,
        maxPositions,
        rmsNormEpsilon,
        rope,
        activation,
        biases,
        headNorms,
        fused,
        tied,
        padding,
        blocks);
  }

  /** The sizes that determine memory and arithmetic. */
  public ModelShape shape() {
    List<ModelShape.LinearShape> linears = linears();
    long block = linears.stream().mapToLong(ModelShape.LinearShape::weights).sum();
    block += 2L * hiddenSize + (headNorms ? 2L * headDim : 0);
    long queryKeyValue = (long) (heads + 2 * keyValueHeads) * headDim;
    block += biases.queryKeyValue() ? queryKeyValue : 0;
    block += biases.output() ? hiddenSize : 0;
    block += biases.mlp() ? 2L * intermediateSize + hiddenSize : 0;
    long table = (long) vocabSize * hiddenSize;
    return new ModelShape(
        vocabSize,
        hiddenSize,
        heads,
        keyValueHeads,
        headDim,
        intermediateSize,
        true,
        headNorms,
        tiedHead,
        layers.stream().map(Layer::window).toList(),
        "model.layers",
        linears,
        layers.size() * block + (tiedHead ? table : 2 * table) + hiddenSize);
  }

  private List<ModelShape.LinearShape> linears() {
    long queries = (long) heads * headDim;
    long keys = (long) keyValueHeads * headDim;
    List<ModelShape.LinearShape> linears = new ArrayList<>();
    if (fused) {
      linears.add(new ModelShape.LinearShape("self_attn.qkv_proj", hiddenSize, queries + 2 * keys));
    } else {
      linears.add(new ModelShape.LinearShape("self_attn.q_proj", hiddenSize, queries));
      linears.add(new ModelShape.LinearShape("self_attn.k_proj", hiddenSize, keys));
      linears.add(new ModelShape.LinearShape("self_attn.v_proj", hiddenSize, keys));
    }
    linears.add(new ModelShape.LinearShape("self_attn.o_proj", queries, hiddenSize));
    if (fused) {
      linears.add(
          new ModelShape.LinearShape("mlp.gate_up_proj", hiddenSize, 2L * intermediateSize));
    } else {
      linears.add(new ModelShape.LinearShape("mlp.gate_proj", hiddenSize, intermediateSize));
      linears.add(new ModelShape.LinearShape("mlp.up_proj", hiddenSize, intermediateSize));
    }
    linears.add(new ModelShape.LinearShape("mlp.down_proj", intermediateSize, hiddenSize));
    return linears;
  }

  private static void positive(String key, int value) {
    if (value < 1) {
      throw new IllegalArgumentException(key + " must be positive but was " + value);
    }
  }
}
