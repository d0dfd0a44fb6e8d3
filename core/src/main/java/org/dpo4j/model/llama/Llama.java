package org.dpo4j.model.llama;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.model.Attention;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.Linear;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.Parameters;
import org.dpo4j.model.RmsNorm;
import org.dpo4j.model.RotaryEmbedding;
import org.dpo4j.torch.TensorScope;

/** Touvron et al. 2023, arXiv 2302.13971; weight names are those of Hugging Face checkpoints. */
public final class Llama implements CausalLm {

  private record Layer(
      RmsNorm inputNorm,
      Linear query,
      Linear key,
      Linear value,
      Linear output,
      RmsNorm postAttentionNorm,
      Linear gate,
      Linear up,
      Linear down) {}

  private final LlamaConfig config;
  private final Parameters parameters = new Parameters();
  private final Tensor embedding; // (vocab, hidden)
  private final List<Layer> layers = new ArrayList<>();
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
    for (int i = 0; i < config.layers(); i++) {
      layers.add(layer("model.layers." + i + ".", source));
    }
    finalNorm = norm("model.norm", source);
    head =
        config.tiedHead()
            ? new Linear(embedding, null)
            : linear("lm_head", source, config.hiddenSize(), config.vocabSize(), false);
  }

  private Layer layer(String prefix, ParameterSource source) {
    int hidden = config.hiddenSize();
    int queryWidth = config.heads() * config.headDim();
    int keyWidth = config.keyValueHeads() * config.headDim();
    int mlpWidth = config.intermediateSize();
    boolean bias = config.attentionBias();
    return new Layer(
        norm(prefix + "input_layernorm", source),
        linear(prefix + "self_attn.q_proj", source, hidden, queryWidth, bias),
        linear(prefix + "self_attn.k_proj", source, hidden, keyWidth, bias),
        linear(prefix + "self_attn.v_proj", source, hidden, keyWidth, bias),
        linear(prefix + "self_attn.o_proj", source, queryWidth, hidden, bias),
        norm(prefix + "post_attention_layernorm", source),
        linear(prefix + "mlp.gate_proj", source, hidden, mlpWidth, config.mlpBias()),
        linear(prefix + "mlp.up_proj", source, hidden, mlpWidth, config.mlpBias()),
        linear(prefix + "mlp.down_proj", source, mlpWidth, hidden, config.mlpBias()));
  }

  private Linear linear(String name, ParameterSource source, int in, int out, boolean bias) {
    return Linear.take(parameters, source, name, in, out, bias);
  }

  private RmsNorm norm(String name, ParameterSource source) {
    return RmsNorm.take(parameters, source, name, config.hiddenSize(), config.rmsNormEpsilon());
  }

  @Override
  public Tensor hiddenStates(Tensor ids, Tensor positions, Attention attention) {
    RotaryEmbedding rotary =
        new RotaryEmbedding(positions, config.headDim(), config.ropeTheta(), embedding);
    Tensor states = torch.embedding(embedding, ids); // (tokens, hidden)
    for (int i = 0; i < layers.size(); i++) {
      int layer = i;
      Tensor input = states;
      states = TensorScope.only(() -> block(layer, input, rotary, attention));
    }
    return finalNorm.apply(states);
  }

  private Tensor block(int number, Tensor input, RotaryEmbedding rotary, Attention attention) {
    Layer layer = layers.get(number);
    long tokens = input.size(0);

    // attention
    Tensor normed = layer.inputNorm.apply(input);
    Tensor query = heads(layer.query.apply(normed), config.heads());
    Tensor key = heads(layer.key.apply(normed), config.keyValueHeads());
    Tensor value = heads(layer.value.apply(normed), config.keyValueHeads());
    Tensor attended =
        attention
            .attend(number, rotary.apply(query), rotary.apply(key), value)
            .reshape(tokens, (long) config.heads() * config.headDim());
    Tensor states = input.add(layer.output.apply(attended));

    // gated MLP
    Tensor mlpInput = layer.postAttentionNorm.apply(states);
    Tensor gated = torch.silu(layer.gate.apply(mlpInput)).mul(layer.up.apply(mlpInput));
    return states.add(layer.down.apply(gated));
  }

  /** (tokens, heads x headDim) to (tokens, heads, headDim). */
  private Tensor heads(Tensor states, int heads) {
    return states.view(states.size(0), heads, config.headDim());
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
  public Llama copy() {
    return new Llama(config, parameters.copies());
  }
}
