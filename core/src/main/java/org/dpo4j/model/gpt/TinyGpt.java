package org.dpo4j.model.gpt;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.model.Attention;
import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.LayerNorm;
import org.dpo4j.model.Linear;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.Parameters;
import org.dpo4j.torch.TensorScope;

/**
 * The small decoder-only model of the demo: learned positions, layer norm before attention and MLP,
 * GELU (exact), no dropout, a head of its own.
 */
public final class TinyGpt implements CausalLm {

  private static final double EPSILON = 1e-5;

  private record Block(
      LayerNorm norm1, Linear queryKeyValue, Linear out, LayerNorm norm2, Linear up, Linear down) {}

  private final TinyGptConfig config;
  private final Parameters parameters = new Parameters();
  private final Tensor tokenEmbedding; // (vocab, hidden)
  private final Tensor positionEmbedding; // (maxPositions, hidden)
  private final List<Block> blocks = new ArrayList<>();
  private final LayerNorm finalNorm;
  private final Linear head;

  public TinyGpt(TinyGptConfig config, ParameterSource source) {
    this.config = config;
    int hidden = config.hidden();
    ParameterSource.Kind table = ParameterSource.Kind.EMBEDDING;
    tokenEmbedding = parameters.take(source, "tok.weight", table, config.vocabSize(), hidden);
    positionEmbedding = parameters.take(source, "pos.weight", table, config.maxPositions(), hidden);
    for (int i = 0; i < config.depth(); i++) {
      String prefix = "blocks." + i + ".";
      blocks.add(
          new Block(
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
  public Tensor hiddenStates(Tensor ids, Tensor positions, Attention attention) {
    Tensor states =
        torch.embedding(tokenEmbedding, ids).add(torch.embedding(positionEmbedding, positions));
    for (int i = 0; i < blocks.size(); i++) {
      int layer = i;
      Tensor input = states; // (tokens, hidden)
      states = TensorScope.only(() -> block(layer, input, attention));
    }
    return finalNorm.apply(states);
  }

  private Tensor block(int layer, Tensor input, Attention attention) {
    Block block = blocks.get(layer);
    long tokens = input.size(0);
    int headDim = config.hidden() / config.heads();
    TensorVector parts = block.queryKeyValue.apply(block.norm1.apply(input)).chunk(3, -1);
    Tensor attended =
        attention.attend(
            AttentionLayer.of(layer, headDim),
            parts.get(0).view(tokens, config.heads(), headDim),
            parts.get(1).view(tokens, config.heads(), headDim),
            parts.get(2).view(tokens, config.heads(), headDim)); // (tokens, heads, headDim)
    Tensor states = input.add(block.out.apply(attended.reshape(tokens, config.hidden())));
    return states.add(block.down.apply(torch.gelu(block.up.apply(block.norm2.apply(states)))));
  }

  @Override
  public Tensor logits(Tensor hidden) {
    return head.apply(hidden);
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
  public Set<Integer> windows() {
    return Set.of();
  }

  @Override
  public TinyGpt copy() {
    return new TinyGpt(config, parameters.copies());
  }
}
