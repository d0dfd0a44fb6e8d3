package org.dpo4j.model.gpt;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.DecoderBlock;
import org.dpo4j.model.LayerNorm;
import org.dpo4j.model.Linear;
import org.dpo4j.model.Node;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.Parameters;
import org.dpo4j.model.RotaryEmbedding;
import org.jspecify.annotations.Nullable;

/**
 * Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"; weight names and
 * layouts are those of Hugging Face checkpoints. No dropout.
 */
public final class Gpt2 implements CausalLm {

  private record Block(
      Gpt2Config config,
      AttentionLayer attention,
      LayerNorm attentionNorm,
      Conv1D queryKeyValue,
      Conv1D output,
      LayerNorm mlpNorm,
      Conv1D up,
      Conv1D down)
      implements DecoderBlock {

    @Override
    public Projected project(Node states, @Nullable RotaryEmbedding rotary) {
      long hidden = config.hiddenSize();
      List<Node> parts =
          queryKeyValue.apply(attentionNorm.apply(states)).split(hidden, hidden, hidden);
      return new Projected(heads(parts.get(0)), heads(parts.get(1)), heads(parts.get(2)));
    }

    /** (tokens, hidden) to (tokens, heads, headDim). */
    private Node heads(Node states) {
      return states.reshape(-1, config.heads(), config.hiddenSize() / config.heads());
    }

    @Override
    public Node finish(Node states, Node attended) {
      Node after = states.plus(output.apply(attended));
      return after.plus(down.apply(config.activation().apply(up.apply(mlpNorm.apply(after)))));
    }
  }

  private final Gpt2Config config;
  private final Parameters parameters = new Parameters();
  private final Tensor tokenEmbedding; // (vocab, hidden)
  private final Tensor positionEmbedding; // (maxPositions, hidden)
  private final List<Block> blocks = new ArrayList<>();
  private final LayerNorm finalNorm;
  private final Linear head;

  public Gpt2(Gpt2Config config, ParameterSource source) {
    this.config = config;
    int hidden = config.hiddenSize();
    ParameterSource.Kind table = ParameterSource.Kind.EMBEDDING;
    tokenEmbedding =
        parameters.take(source, "transformer.wte.weight", table, config.vocabSize(), hidden);
    positionEmbedding =
        parameters.take(source, "transformer.wpe.weight", table, config.maxPositions(), hidden);
    for (int i = 0; i < config.layers(); i++) {
      blocks.add(block(i, "transformer.h." + i + ".", source));
    }
    finalNorm = norm("transformer.ln_f", source);
    head =
        config.tiedHead()
            ? new Linear(parameters.matrix(tokenEmbedding), null, null)
            : Linear.take(parameters, source, "lm_head", hidden, config.vocabSize(), false);
  }

  private Block block(int number, String prefix, ParameterSource source) {
    int hidden = config.hiddenSize();
    int inner = config.innerSize();
    return new Block(
        config,
        config.attention(number),
        norm(prefix + "ln_1", source),
        Conv1D.take(parameters, source, prefix + "attn.c_attn", hidden, 3L * hidden),
        Conv1D.take(parameters, source, prefix + "attn.c_proj", hidden, hidden),
        norm(prefix + "ln_2", source),
        Conv1D.take(parameters, source, prefix + "mlp.c_fc", hidden, inner),
        Conv1D.take(parameters, source, prefix + "mlp.c_proj", inner, hidden));
  }

  private LayerNorm norm(String name, ParameterSource source) {
    return LayerNorm.take(parameters, source, name, config.hiddenSize(), config.layerNormEpsilon());
  }

  @Override
  public List<EmbeddingTable> embeddingTables() {
    return List.of(
        new EmbeddingTable(tokenEmbedding, false), new EmbeddingTable(positionEmbedding, true));
  }

  @Override
  public List<? extends DecoderBlock> blocks() {
    return blocks;
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
  public Gpt2 copy() {
    return new Gpt2(config, parameters.copies());
  }
}
