package org.dpo4j.model.llama;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.model.Attention;
import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.Linear;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.Parameters;
import org.dpo4j.model.RmsNorm;
import org.dpo4j.model.RotaryEmbedding;
import org.dpo4j.torch.TensorScope;
import org.jspecify.annotations.Nullable;

/**
 * Touvron et al. 2023, arXiv 2302.13971, and the families that are this model with other switches;
 * weight names and layouts are those of Hugging Face checkpoints. No dropout.
 */
public final class Llama implements CausalLm {

  private record Layer(
      LlamaConfig.Layer kind,
      AttentionLayer attention,
      RmsNorm inputNorm,
      Projections queryKeyValue,
      @Nullable RmsNorm queryNorm,
      @Nullable RmsNorm keyNorm,
      Linear output,
      RmsNorm postAttentionNorm,
      Projections gateUp,
      Linear down) {}

  /** Linear layers of one input: one for each width, or one for all of them. */
  private record Projections(List<Linear> linears, List<Integer> widths) {

    /** (tokens, in) to one (tokens, width) for each width. */
    List<Tensor> apply(Tensor input) {
      if (linears.size() == widths.size()) {
        return linears.stream().map(linear -> linear.apply(input)).toList();
      }
      long[] sizes = widths.stream().mapToLong(Integer::longValue).toArray();
      TensorVector parts = linears.get(0).apply(input).split_with_sizes(sizes, -1);
      return LongStream.range(0, parts.size()).mapToObj(parts::get).toList();
    }
  }

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
    for (int i = 0; i < config.layers().size(); i++) {
      layers.add(layer(i, "model.layers." + i + ".", source));
    }
    finalNorm = norm("model.norm", source, config.hiddenSize());
    head =
        config.tiedHead()
            ? new Linear(embedding, null)
            : linear("lm_head", source, config.hiddenSize(), config.vocabSize(), false);
  }

  private Layer layer(int number, String prefix, ParameterSource source) {
    LlamaConfig.Layer kind = config.layers().get(number);
    LlamaConfig.Biases biases = config.biases();
    int hidden = config.hiddenSize();
    int headDim = config.headDim();
    int queryWidth = config.heads() * headDim;
    int keyWidth = config.keyValueHeads() * headDim;
    int mlpWidth = config.intermediateSize();
    String attention = prefix + "self_attn.";
    String mlp = prefix + "mlp.";
    return new Layer(
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

  /** As many names as widths, or one for all. */
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
  public Tensor hiddenStates(Tensor ids, Tensor positions, Attention attention) {
    RotaryEmbedding rotary =
        new RotaryEmbedding(positions, config.headDim(), config.rope(), embedding);
    Tensor states = torch.embedding(embedding, ids); // (tokens, hidden)
    for (Layer layer : layers) {
      Tensor input = states;
      states = TensorScope.only(() -> block(layer, input, rotary, attention));
    }
    return finalNorm.apply(states);
  }

  private Tensor block(Layer layer, Tensor input, RotaryEmbedding rotary, Attention attention) {
    List<Tensor> parts = layer.queryKeyValue.apply(layer.inputNorm.apply(input));
    Tensor query = normed(heads(parts.get(0), config.heads()), layer.queryNorm);
    Tensor key = normed(heads(parts.get(1), config.keyValueHeads()), layer.keyNorm);
    Tensor value = heads(parts.get(2), config.keyValueHeads());
    if (layer.kind.rotary()) {
      query = rotary.apply(query);
      key = rotary.apply(key);
    }
    Tensor attended =
        attention
            .attend(layer.attention, query, key, value)
            .reshape(input.size(0), (long) config.heads() * config.headDim());
    Tensor states = input.add(layer.output.apply(attended));

    List<Tensor> gateUp = layer.gateUp.apply(layer.postAttentionNorm.apply(states));
    Tensor gated = config.activation().apply(gateUp.get(0)).mul(gateUp.get(1));
    return states.add(layer.down.apply(gated));
  }

  /** (tokens, heads x headDim) to (tokens, heads, headDim). */
  private Tensor heads(Tensor states, int heads) {
    return states.reshape(states.size(0), heads, config.headDim());
  }

  private static Tensor normed(Tensor heads, @Nullable RmsNorm norm) {
    return norm == null ? heads : norm.apply(heads);
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
    return config.layers().stream()
        .map(LlamaConfig.Layer::window)
        .filter(window -> window != AttentionLayer.ALL)
        .collect(Collectors.toUnmodifiableSet());
  }

  @Override
  public Llama copy() {
    return new Llama(config, parameters.copies());
  }
}
