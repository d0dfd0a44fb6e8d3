package org.dpo4j.model.gpt;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.model.Attention;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.LayerNorm;
import org.dpo4j.model.Linear;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.Parameters;
import org.dpo4j.torch.TensorScope;

/**
 * Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"; weight names and
 * layouts are those of Hugging Face checkpoints. No dropout.
 */
public final class Gpt2 implements CausalLm {

  private record Block(
      LayerNorm attentionNorm,
      Conv1D queryKeyValue,
      Conv1D output,
      LayerNorm mlpNorm,
      Conv1D up,
      Conv1D down) {}

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
      blocks.add(block("transformer.h." + i + ".", source));
    }
    finalNorm = norm("transformer.ln_f", source);
    head =
        config.tiedHead()
            ? new Linear(tokenEmbedding, null)
            : Linear.take(parameters, source, "lm_head", hidden, config.vocabSize(), false);
  }

  private Block block(String prefix, ParameterSource source) {
    int hidden = config.hiddenSize();
    int inner = config.innerSize();
    return new Block(
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
    TensorVector parts = block.queryKeyValue.apply(block.attentionNorm.apply(input)).chunk(3, -1);
    Tensor attended =
        attention
            .attend(
                config.attention(layer),
                heads(parts.get(0)),
                heads(parts.get(1)),
                heads(parts.get(2)))
            .reshape(input.size(0), config.hiddenSize());
    Tensor states = input.add(block.output.apply(attended));
    Tensor inner = config.activation().apply(block.up.apply(block.mlpNorm.apply(states)));
    return states.add(block.down.apply(inner));
  }

  /** (tokens, hidden) to (tokens, heads, headDim). */
  private Tensor heads(Tensor states) {
    return states.view(states.size(0), config.heads(), config.headDim());
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
  public Gpt2 copy() {
    return new Gpt2(config, parameters.copies());
  }
}
