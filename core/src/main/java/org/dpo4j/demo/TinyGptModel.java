package org.dpo4j.demo;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.Activation;
import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.DecoderBlock;
import org.dpo4j.model.LayerNorm;
import org.dpo4j.model.Linear;
import org.dpo4j.model.Node;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.Parameters;
import org.dpo4j.model.Rotations;

/**
 * The small decoder-only model of the demo: learned positions, layer norm before attention and MLP,
 * GELU (exact), no dropout, a head of its own.
 */
public final class TinyGptModel implements CausalLm {

  private static final double EPSILON = 1e-5;

  private record Block(
      TinyGptConfig config,
      AttentionLayer attention,
      LayerNorm norm1,
      Linear queryKeyValue,
      Linear out,
      LayerNorm norm2,
      Linear up,
      Linear down)
      implements DecoderBlock {

    @Override
    public Projected project(Node states, Rotations rotations) {
      long hidden = config.hidden();
      List<Node> parts = queryKeyValue.apply(norm1.apply(states)).split(hidden, hidden, hidden);
      return new Projected(heads(parts.get(0)), heads(parts.get(1)), heads(parts.get(2)));
    }

    /** (tokens, hidden) to (tokens, heads, headDim). */
    private Node heads(Node states) {
      return states.reshape(-1, config.heads(), config.hidden() / config.heads());
    }

    @Override
    public Node finish(Node states, Node attended) {
      Node after = states.plus(out.apply(attended));
      return after.plus(down.apply(Activation.GELU.apply(up.apply(norm2.apply(after)))));
    }
  }

  private final TinyGptConfig config;
  private final Parameters parameters = new Parameters();
  private final Tensor tokenEmbedding; // (vocab, hidden)
  private final Tensor positionEmbedding; // (maxPositions, hidden)
  private final List<Block> blocks = new ArrayList<>();
  private final LayerNorm finalNorm;
  private final Linear head;

  public TinyGptModel(TinyGptConfig config, ParameterSource source) {
    this.config = config;
    int hidden = config.hidden();
    ParameterSource.Kind table = ParameterSource.Kind.EMBEDDING;
    tokenEmbedding = parameters.take(source, "tok.weight", table, config.vocabSize(), hidden);
    positionEmbedding = parameters.take(source, "pos.weight", table, config.maxPositions(), hidden);
    for (int i = 0; i < config.depth(); i++) {
      String prefix = "blocks." + i + ".";
      blocks.add(
          new Block(
              config,
              AttentionLayer.of(i, hidden / config.heads()),
              LayerNorm.take(parameters, source, prefix + "ln1", hidden, EPSILON),
              Linear.take(parameters, source, prefix + "attn.qkv", hidden, 3L * hidden, false),
              Linear.take(parameters, source, prefix + "attn.out", hidden, hidden, false),
              LayerNorm.take(parameters, source, prefix + "ln2", hidden, EPSILON),
              Linear.take(parameters, source, prefix + "fc1", hidden, 4L * hidden, true),
              Linear.take(parameters, source, prefix + "fc2", 4L * hidden, hidden, true)));
    }
    finalNorm = LayerNorm.take(parameters, source, "ln_f", hidden, EPSILON);
    head = Linear.take(parameters, source, "head", hidden, config.vocabSize(), false);
  }

  @Override
  public List<EmbeddingTable> embeddingTables() {
    return List.of(
        EmbeddingTable.ofTokens(tokenEmbedding, 1, EmbeddingTable.NONE),
        EmbeddingTable.ofPositions(positionEmbedding, 0));
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
  public TinyGptModel copy() {
    return new TinyGptModel(config, parameters.copies());
  }
}
