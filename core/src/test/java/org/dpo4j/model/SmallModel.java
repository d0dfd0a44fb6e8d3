package org.dpo4j.model;

import java.util.List;
import org.dpo4j.demo.TinyGptConfig;
import org.dpo4j.demo.TinyGptModel;
import org.dpo4j.model.gpt.Gpt2;
import org.dpo4j.model.gpt.Gpt2Config;
import org.dpo4j.model.llama.Llama;
import org.dpo4j.model.llama.LlamaConfig;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.Tensors;

/**
 * Random models of a few thousand weights. Together they set every switch of every family, which
 * {@link SmallModelTest} checks, so that a test on all of them covers all backward formulas.
 */
public enum SmallModel {
  /** Learned positions; every head has keys of its own. */
  TINY_GPT(new TinyGptConfig(SmallModel.VOCABULARY, 16, 2, 2, SmallModel.POSITIONS)),
  /** Rotary positions; two query heads share the keys of one, and the head is tied. */
  LLAMA(new Switches().config()),
  /** A layer in which a token sees five, and one that sees all but knows no positions. */
  WINDOWED(
      new Switches()
          .layers(new LlamaConfig.Layer(true, 5), new LlamaConfig.Layer(false, AttentionLayer.ALL))
          .config()),
  /** As Mistral: the same window everywhere, and an untied head. */
  MISTRAL(
      new Switches()
          .untied()
          .layers(new LlamaConfig.Layer(true, 4), new LlamaConfig.Layer(true, 4))
          .config()),
  /** As Qwen2: biases of queries, keys and values. */
  QWEN2(
      new Switches()
          .biases(true, false, false)
          .rope(new RopeScaling.Yarn(4, 32, 1, true, 16, 1.1))
          .config()),
  /** As Qwen3: norms of heads. */
  QWEN3(
      new Switches()
          .headNorms()
          .untied()
          .activation(Activation.GELU)
          .rope(new RopeScaling.LinearInterpolation(2))
          .config()),
  /** As a Llama with {@code attention_bias} and {@code mlp_bias}. */
  BIASED(
      new Switches()
          .biases(true, true, true)
          .activation(Activation.GELU_TANH)
          .rope(new RopeScaling.Llama3(8, 1, 4, 16))
          .config()),
  /** As Phi-3: fused projections. */
  PHI3(
      new Switches()
          .fused()
          .untied()
          .layers(new LlamaConfig.Layer(true, 6), LlamaConfig.Layer.FULL)
          .config()),
  /** Both, with biases: what no family has, and the configuration allows. */
  FUSED_WITH_BIASES(
      new Switches()
          .fused()
          .headNorms()
          .biases(true, false, true)
          .activation(Activation.RELU)
          .config()),
  /** Matrices stored as (in, out), biases everywhere, learned positions, a tied head. */
  GPT2(
      new Gpt2Config(
          SmallModel.VOCABULARY,
          16,
          40,
          2,
          4,
          SmallModel.POSITIONS,
          1e-5,
          Activation.GELU_TANH,
          true,
          false,
          true)),
  /** GPT-2's other switches. */
  GPT2_UNSCALED(
      new Gpt2Config(
          SmallModel.VOCABULARY,
          16,
          40,
          2,
          2,
          SmallModel.POSITIONS,
          1e-6,
          Activation.QUICK_GELU,
          false,
          true,
          false)),
  /** The remaining activation. */
  GPT2_TANH(
      new Gpt2Config(
          SmallModel.VOCABULARY,
          16,
          24,
          2,
          2,
          SmallModel.POSITIONS,
          1e-5,
          Activation.TANH,
          true,
          true,
          true));

  public static final int VOCABULARY = 24;
  public static final int POSITIONS = 32;
  public static final int PADDING = 3; // a token that occurs

  @SuppressWarnings("ImmutableEnumChecker") // the configurations are records of values
  private final Record config;

  SmallModel(Record config) {
    this.config = config;
  }

  /** Sizes and switches, a record of the model's family. */
  public Record config() {
    return config;
  }

  /** The model with given weights. */
  public CausalLm build(ParameterSource weights) {
    if (config instanceof LlamaConfig llama) {
      return new Llama(llama, weights);
    }
    return config instanceof Gpt2Config gpt2
        ? new Gpt2(gpt2, weights)
        : new TinyGptModel((TinyGptConfig) config, weights);
  }

  /** The model that a seed gives. */
  public CausalLm create(ElementType type, long seed) {
    return build(new RandomParameters(type, new RandomNumbers(seed)));
  }

  /** The weights of a model, concatenated; equal only if every bit is equal. */
  public static double[] weights(CausalLm model) {
    List<double[]> parts =
        model.parameters().all().stream().map(p -> Tensors.toDoubles(p.tensor())).toList();
    return parts.stream().flatMapToDouble(java.util.Arrays::stream).toArray();
  }

  /** A plain Llama, and what differs from it. */
  private static final class Switches {
    private Rope rope = Rope.of(10_000);
    private Activation activation = Activation.SILU;
    private LlamaConfig.Biases biases = LlamaConfig.Biases.NONE;
    private boolean headNorms;
    private boolean fused;
    private boolean tied = true;
    private int padding = PADDING;
    private List<LlamaConfig.Layer> layers =
        List.of(LlamaConfig.Layer.FULL, LlamaConfig.Layer.FULL);

    Switches rope(RopeScaling scaling) {
      rope = new Rope(20_000, scaling);
      return this;
    }

    Switches activation(Activation activation) {
      this.activation = activation;
      return this;
    }

    Switches biases(boolean queryKeyValue, boolean output, boolean mlp) {
      biases = new LlamaConfig.Biases(queryKeyValue, output, mlp);
      return this;
    }

    Switches headNorms() {
      headNorms = true;
      return this;
    }

    Switches fused() {
      fused = true;
      return this;
    }

    Switches untied() {
      tied = false;
      padding = CausalLm.EmbeddingTable.NONE;
      return this;
    }

    Switches layers(LlamaConfig.Layer... layers) {
      this.layers = List.of(layers);
      return this;
    }

    LlamaConfig config() {
      return new LlamaConfig(
          VOCABULARY,
          16,
          32,
          4,
          2,
          8,
          POSITIONS,
          tied ? 1e-6 : 1e-5,
          rope,
          activation,
          biases,
          headNorms,
          fused,
          tied,
          padding,
          layers);
    }
  }
}
