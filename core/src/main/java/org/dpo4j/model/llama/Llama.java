package org.dpo4j.model.llama;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.DecoderBlock;
import org.dpo4j.model.Linear;
import org.dpo4j.model.Node;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.Parameters;
import org.dpo4j.model.RmsNorm;
import org.dpo4j.model.RotaryEmbedding;
import org.jspecify.annotations.Nullable;

/**
 * Llama (Touvron et al. 2023, arXiv 2302.13971) and the families that differ from it in switches;
 * weight names and layouts are those of Hugging Face checkpoints. No dropout.
 */
public final class Llama implements CausalLm {

  /** Projections of one input: a linear layer for each width, or a fused one for all widths. */
  private record Projections(List<Linear> linears, List<Integer> widths) {

    /** Maps (tokens, in) to a node (tokens, width) for each width. */
    List<Node> apply(Node input) {
      if (linears.size() == widths.size()) {
        return linears.stream().map(linear -> linear.apply(input)).toList();
      }
      long[] sizes = widths.stream().mapToLong(Integer::longValue).toArray();
      return linears.get(0).apply(input).split(sizes);
    }

    /** As {@link #apply}, for outputs that will be saved. */
    List<Node> applyInArena(Node input) {
      return linears.size() == widths.size()
          ? linears.stream().map(linear -> linear.applyInArena(input)).toList()
          : apply(input);
    }
  }

  private record Block(
      LlamaConfig config,
      LlamaConfig.Layer kind,
      AttentionLayer attention,
      RmsNorm inputNorm,
      Projections queryKeyValue,
      @Nullable RmsNorm queryNorm,
      @Nullable RmsNorm keyNorm,
      Linear output,
      RmsNorm postAttentionNorm,
      Projections gateUp,
      Linear down)
      implements DecoderBlock {

    @Override
    public Projected project(Node states, @Nullable RotaryEmbedding rotary) {
      List<Node> parts = queryKeyValue.apply(inputNorm.apply(states));
      Node query = normed(heads(parts.get(0), config.heads()), queryNorm);
      Node key = normed(heads(parts.get(1), config.keyValueHeads()), keyNorm);
      Node value = heads(parts.get(2), config.keyValueHeads());
      return rotary == null || !kind.rotary()
          ? new Projected(query, key, value)
          : new Projected(rotary.apply(query), rotary.apply(key), value);
    }

    @Override
    public Node finish(Node states, Node attended) {
      Node after = states.plus(output.apply(attended));
      List<Node> parts = gateUp.applyInArena(postAttentionNorm.apply(after));
      return after.plus(down.apply(config.activation().gated(parts.get(0), parts.get(1))));
    }

    /** (tokens, heads x headDim) to (tokens, heads, headDim). */
    private Node heads(Node states, int heads) {
      return states.reshape(-1, heads, config.headDim());
    }

    private static Node normed(Node heads, @Nullable RmsNorm norm) {
      return norm == null ? heads : norm.apply(heads);
    }
  }

  private final LlamaConfig config;
  private final Parameters parameters = new Parameters();
  private final Tensor embedding; // (vocab, hidden)
  private final List<Block> blocks = new ArrayList<>();
  private final RmsNorm finalNorm;
  private final Linear head;

  public Llama(LlamaConfig config, ParameterSource source) {
    this.config = config;
    embedding =
        parameters.take(
            source,
            "model.embed_tokens.weight",
            ParameterSource.Kind.EMBEDDING,
            config.vocabSize(),
            config.hiddenSize());
    for (int i = 0; i < config.layers().size(); i++) {
      blocks.add(block(i, "model.layers." + i + ".", source));
    }
    finalNorm = norm("model.norm", source, config.hiddenSize());
    head =
        config.tiedHead()
            ? new Linear(parameters.matrix(embedding), null, null)
            : linear("lm_head", source, config.hiddenSize(), config.vocabSize(), false);
  }

  private Block block(int number, String prefix, ParameterSource source) {
    LlamaConfig.Layer kind = config.layers().get(number);
    LlamaConfig.Biases biases = config.biases();
    int hidden = config.hiddenSize();
    int headDim = config.headDim();
    int queryWidth = config.heads() * headDim;
    int keyWidth = config.keyValueHeads() * headDim;
    int mlpWidth = config.intermediateSize();
    String attention = prefix + "self_attn.";
    String mlp = prefix + "mlp.";
    return new Block(
        config,
        kind,
        new AttentionLayer(number, 1 / Math.sqrt(headDim), kind.window()),
        norm(prefix + "input_layernorm", source, hidden),
        projections(
            config.fused()
                ? List.of(attention + "qkv_proj")
                : List.of(attention + "q_proj", attention + "k_proj", attention + "v_proj"),
            source,
            biases.queryKeyValue(),
            queryWidth,
            keyWidth,
            keyWidth),
        config.headNorms() ? norm(attention + "q_norm", source, headDim) : null,
        config.headNorms() ? norm(attention + "k_norm", source, headDim) : null,
        linear(attention + "o_proj", source, queryWidth, hidden, biases.output()),
        norm(prefix + "post_attention_layernorm", source, hidden),
        projections(
            config.fused()
                ? List.of(mlp + "gate_up_proj")
                : List.of(mlp + "gate_proj", mlp + "up_proj"),
            source,
            biases.mlp(),
            mlpWidth,
            mlpWidth),
        linear(mlp + "down_proj", source, mlpWidth, hidden, biases.mlp()));
  }

  /**
   * Projections of the hidden states.
   *
   * @param names of the linear layers: one for each width, or one for all
   */
  private Projections projections(
      List<String> names, ParameterSource source, boolean bias, Integer... widths) {
    List<Linear> linears = new ArrayList<>();
    for (int i = 0; i < names.size(); i++) {
      long out =
          names.size() == widths.length
              ? widths[i]
              : Arrays.stream(widths).mapToLong(Integer::longValue).sum();
      linears.add(linear(names.get(i), source, config.hiddenSize(), out, bias));
    }
    return new Projections(linears, List.of(widths));
  }

  private Linear linear(String name, ParameterSource source, int in, long out, boolean bias) {
    return Linear.take(parameters, source, name, in, out, bias);
  }

  private RmsNorm norm(String name, ParameterSource source, int width) {
    return RmsNorm.take(parameters, source, name, width, config.rmsNormEpsilon());
  }

  @Override
  public List<EmbeddingTable> embeddingTables() {
    return List.of(new EmbeddingTable(embedding, false, config.padding()));
  }

  @Override
  public List<? extends DecoderBlock> blocks() {
    return blocks;
  }

  @Override
  public RotaryEmbedding rotary(Tensor positions) {
    return new RotaryEmbedding(positions, config.headDim(), config.rope(), embedding);
  }

  @Override
  public Node finalNorm(Node states) {
    return finalNorm.apply(states);
  }

  @Override
  public Linear head() {
    return head;
  }

  @Override
  public Parameters parameters() {
    return parameters;
  }

  @Override
  public int vocabSize() {
    return config.vocabSize();
  }

  @Override
  public int maxPositions() {
    return config.maxPositions();
  }

  @Override
  public Llama copy() {
    return new Llama(config, parameters.copies());
  }
}
