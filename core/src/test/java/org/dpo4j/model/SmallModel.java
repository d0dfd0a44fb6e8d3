package org.dpo4j.model;

import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.dpo4j.demo.TinyGptConfig;
import org.dpo4j.demo.TinyGptModel;
import org.dpo4j.model.decoder.AttentionConfig;
import org.dpo4j.model.decoder.AttentionConfig.Layout;
import org.dpo4j.model.decoder.AttentionConfig.Scope;
import org.dpo4j.model.decoder.Decoder;
import org.dpo4j.model.decoder.DecoderConfig;
import org.dpo4j.model.decoder.EmbeddingConfig;
import org.dpo4j.model.decoder.ExpertConfig;
import org.dpo4j.model.decoder.ExpertConfig.Storage;
import org.dpo4j.model.decoder.HeadConfig;
import org.dpo4j.model.decoder.LayerConfig;
import org.dpo4j.model.decoder.MlpConfig;
import org.dpo4j.model.decoder.NormConfig;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * Random models of a few thousand weights. Together they set every switch of the model, which
 * {@link SmallModelTest} checks, so that a test on all of them covers all backward formulas.
 */
public enum SmallModel {
  /** Learned positions; every head has keys of its own. */
  TINY_GPT(new TinyGptConfig(SmallModel.VOCABULARY, 16, 2, 2, SmallModel.POSITIONS)),
  /** Rotary positions; two query heads share the keys of one, and the head is tied. */
  LLAMA(d -> {}),
  /** A layer in which a token sees five, and one that sees all but knows no positions. */
  WINDOWED(d -> d.layers = List.of(layer(rope(), 5), layer(null, AttentionLayer.ALL))),
  /** As Mistral: the same window everywhere, and an untied head. */
  MISTRAL(
      d -> {
        untied(d);
        d.layers = List.of(layer(rope(), 4), layer(rope(), 4));
      }),
  /** As Qwen2: biases of queries, keys and values. */
  QWEN2(
      d -> {
        d.attention = d.attention.withBiases(true, false);
        d.layers = both(rope(new RopeScaling.Yarn(4, 32, 1, true, 16, 1.1)));
      }),
  /** As Qwen3: norms of heads. */
  QWEN3(
      d -> {
        untied(d);
        d.attention = d.attention.withNorms("self_attn.q_norm", "self_attn.k_norm", Scope.HEAD);
        d.mlp = mlp(Activation.GELU);
        d.layers = both(rope(new RopeScaling.LinearInterpolation(2)));
      }),
  /** As a Llama with {@code attention_bias} and {@code mlp_bias}. */
  BIASED(
      d -> {
        d.attention = d.attention.withBiases(true, true);
        d.mlp = mlp(Activation.GELU_TANH).withBiases(true);
        d.layers = both(rope(new RopeScaling.Llama3(8, 1, 4, 16)));
      }),
  /** As Phi-3: joined projections. */
  PHI3(
      d -> {
        untied(d);
        d.attention = d.attention.withInputs(Layout.JOINED, false, "self_attn.qkv_proj");
        d.mlp = d.mlp.withJoinedGate("mlp.gate_up_proj");
        d.layers = both(rope(new RopeScaling.LongRope(List.of(1.0, 1.2, 1.5, 2.5), 32, 1.2)));
      }),
  /** Both, with biases. */
  JOINED_WITH_BIASES(
      d -> {
        d.attention =
            d.attention
                .withInputs(Layout.JOINED, true, "self_attn.qkv_proj")
                .withNorms("self_attn.q_norm", "self_attn.k_norm", Scope.HEAD);
        d.mlp = mlp(Activation.RELU).withJoinedGate("mlp.gate_up_proj").withBiases(true);
      }),
  /** As OLMo 2: norms after attention and MLP, and of all query heads together. */
  OLMO2(
      d -> {
        d.norms = d.norms.after("post_attention_layernorm", "post_feedforward_layernorm");
        d.attention =
            d.attention.withNorms("self_attn.q_norm", "self_attn.k_norm", Scope.ALL_HEADS);
      }),
  /** As OLMo: norms without weights, and limits of queries, keys and values. */
  OLMO(
      d -> {
        untied(d);
        d.norms = d.norms.withKind(NormConfig.Kind.LAYER_PLAIN);
        d.attention = d.attention.withClip(0.5);
      }),
  /** As Granite: factors everywhere. */
  GRANITE(
      d -> {
        d.embedding = d.embedding.withScale(3);
        d.residualScale = 0.7;
        d.head = d.head.withScale(0.25);
        d.layers = Collections.nCopies(2, new LayerConfig(rope(), AttentionLayer.ALL, 0.2));
      }),
  /** As Gemma 3: norms around both parts, their weights less 1, and two rotary embeddings. */
  GEMMA3(
      d -> {
        d.embedding = d.embedding.withScale(4);
        d.norms =
            d.norms
                .withKind(NormConfig.Kind.RMS_DIFFERENCE)
                .around(
                    "input_layernorm", "after_attention", "post_attention_layernorm", "after_mlp");
        d.attention = d.attention.withNorms("self_attn.q_norm", "self_attn.k_norm", Scope.HEAD);
        d.layers =
            List.of(layer(rope(), 5), layer(rope(new RopeScaling.LinearInterpolation(8)), 9));
      }),
  /** As Gemma 2: limits of scores and logits that some of them come near. */
  GEMMA2(
      d -> {
        d.attention = d.attention.withCap(0.4);
        d.head = d.head.withCap(4);
        d.layers = List.of(layer(rope(), 5), layer(rope(), AttentionLayer.ALL));
      }),
  /** As HunYuan: norms of heads after rotation. */
  HUNYUAN(
      d ->
          d.attention =
              d.attention.withNorms("self_attn.q_norm", "self_attn.k_norm", Scope.ROTATED_HEAD)),
  /** As Cohere: one norm without bias for attention and MLP side by side, neighbours rotated. */
  COHERE(
      d -> {
        d.norms =
            d.norms
                .withKind(NormConfig.Kind.LAYER_UNBIASED)
                .before("post_attention_layernorm", "post_attention_layernorm");
        d.parallel = true;
        d.layers = both(new Rope(10_000, new RopeScaling.None(), 8, true, null));
      }),
  /** As GPT-NeoX: two norms side by side, joined by head, a part of each head rotated. */
  GPT_NEOX(
      d -> {
        untied(d);
        d.norms = d.norms.withKind(NormConfig.Kind.LAYER);
        d.parallel = true;
        d.attention =
            d.attention.withInputs(Layout.BY_HEAD, true, "query_key_value").withBiases(true, true);
        d.mlp = mlp(Activation.GELU).withoutGate("mlp.up").withBiases(true);
        d.layers = both(new Rope(10_000, new RopeScaling.None(), 4, false, null));
      }),
  /** As GPT-J: neighbours of a part of each head rotated; a bias of the head. */
  GPT_J(
      d -> {
        d.head = d.head.withName("lm_head", true);
        d.layers = both(new Rope(10_000, new RopeScaling.None(), 4, true, null));
      }),
  /** As CodeGen: queries, values and keys of each quarter of the heads. */
  CODEGEN(
      d -> {
        d.attention =
            d.attention.withKeyValueHeads(4).withInputs(Layout.BY_QUARTER, true, "qkv_proj");
        d.layers = both(new Rope(10_000, new RopeScaling.None(), 4, true, null));
      }),
  /** As Nemotron: weights of layer norms less 1, squared ReLU. */
  NEMOTRON(
      d -> {
        d.norms = d.norms.withKind(NormConfig.Kind.LAYER_DIFFERENCE);
        d.mlp = mlp(Activation.SQUARED_RELU).withoutGate("mlp.up");
      }),
  /** As Ministral 3: queries that grow with the position. */
  MINISTRAL3(
      d ->
          d.layers =
              both(
                  new Rope(
                      10_000, new RopeScaling.None(), 8, false, new Rope.QueryScaling(0.3, 4)))),
  /** As OPT: learned positions after two rows that no token selects. */
  OPT(
      d -> {
        d.embedding =
            new EmbeddingConfig(
                "tokens", 1, SmallModel.PADDING, new EmbeddingConfig.Positions("positions", 2));
        d.layers = both(null);
      }),
  /** As Mixtral: each token takes two of four experts, whose weights sum to 1. */
  MIXTRAL(experts(Storage.APART, true, 0.02, List.of("experts.%d.", "w1", "w3", "w2"))),
  /** As Qwen2 MoE: a dense layer, a shared expert, weights whose sum is below 1. */
  QWEN2_MOE(
      experts(Storage.APART, false, 0, List.of("experts.%d.", "gate", "up", "down"))
          .with(
              d -> {
                untied(d);
                d.layers =
                    List.of(
                        layer(rope(), AttentionLayer.ALL),
                        layer(rope(), AttentionLayer.ALL).withExperts(true));
                d.experts =
                    Objects.requireNonNull(d.experts)
                        .withShared(new ExpertConfig.Shared(6, "shared.", "shared_gate"));
              })),
  /** As Granite MoE: matrices of all experts in one, gates before inputs, and norms around. */
  GRANITE_MOE(
      experts(Storage.JOINED, true, 0.3, List.of("experts.input", "experts.output"))
          .with(
              d -> {
                d.norms =
                    d.norms.around(
                        "input_layernorm",
                        "after_attention",
                        "post_attention_layernorm",
                        "after_mlp");
                d.residualScale = 0.7;
              })),
  /**
   * As gpt-oss: sinks, a window, interleaved gates and inputs, biases, a limit that some exceed.
   */
  GPT_OSS(
      experts(Storage.INTERLEAVED, true, 0, List.of("experts.input", "experts.output"))
          .with(
              d -> {
                d.attention = d.attention.withSinks("self_attn.sinks");
                d.layers =
                    List.of(
                        layer(rope(), 5).withExperts(true),
                        layer(rope(), AttentionLayer.ALL).withExperts(true));
                d.experts =
                    Objects.requireNonNull(d.experts).withClamp(new ExpertConfig.Clamp(1.7, 0.4));
              })),
  /** Matrices stored as (in, out), biases everywhere, learned positions, a tied head. */
  GPT2(gpt2(40, Activation.GELU_TANH)),
  /** GPT-2's other switches. */
  GPT2_UNSCALED(
      gpt2(40, Activation.QUICK_GELU)
          .with(
              d -> {
                untied(d);
                d.layers =
                    List.of(
                        new LayerConfig(null, AttentionLayer.ALL, 1),
                        new LayerConfig(null, AttentionLayer.ALL, 0.5));
              })),
  /** The remaining activation. */
  GPT2_TANH(gpt2(24, Activation.TANH));

  public static final int VOCABULARY = 24;
  public static final int POSITIONS = 32;
  public static final int PADDING = 3; // a token that occurs

  @SuppressWarnings("ImmutableEnumChecker") // the configurations are records of values
  private final Record config;

  SmallModel(Record config) {
    this.config = config;
  }

  SmallModel(Consumer<DecoderConfig.Draft> changes) {
    this(llama().with(changes));
  }

  /** Sizes and switches. */
  public Record config() {
    return config;
  }

  /** The model with given weights. */
  public CausalLm build(ParameterSource weights) {
    return config instanceof DecoderConfig decoder
        ? new Decoder(decoder, weights)
        : TinyGptModel.create((TinyGptConfig) config, weights);
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

  private static Rope rope() {
    return Rope.of(10_000, 8);
  }

  private static Rope rope(RopeScaling scaling) {
    return new Rope(20_000, scaling, 8, false, null);
  }

  private static LayerConfig layer(@Nullable Rope rope, int window) {
    return new LayerConfig(rope, window, 1 / Math.sqrt(8));
  }

  private static List<LayerConfig> both(@Nullable Rope rope) {
    return Collections.nCopies(2, layer(rope, AttentionLayer.ALL));
  }

  /** Those whose loss does not depend on the division into micro-batches. */
  public static Stream<SmallModel> withoutRouterLoss() {
    return Stream.of(values())
        .filter(
            kind -> !(kind.config instanceof DecoderConfig model && model.shape().hasRouterLoss()));
  }

  /** {@link #MIXTRAL} with another number of experts, of which a token takes some. */
  public static DecoderConfig mixtral(int count, int chosen) {
    return experts(
        count, chosen, Storage.APART, true, 0.02, List.of("experts.%d.", "w1", "w3", "w2"));
  }

  private static DecoderConfig experts(
      Storage storage, boolean renormalized, double lossCoefficient, List<String> names) {
    return experts(4, 2, storage, renormalized, lossCoefficient, names);
  }

  private static DecoderConfig experts(
      int count,
      int chosen,
      Storage storage,
      boolean renormalized,
      double lossCoefficient,
      List<String> names) {
    return llama()
        .with(
            d -> {
              d.layers = d.layers.stream().map(layer -> layer.withExperts(true)).toList();
              d.experts =
                  new ExpertConfig(
                      count,
                      chosen,
                      12,
                      "router",
                      false,
                      renormalized,
                      new ExpertConfig.Modules("mlp.router", "mlp.experts"),
                      storage,
                      names,
                      lossCoefficient,
                      null,
                      null);
            });
  }

  private static MlpConfig mlp(Activation activation) {
    return new MlpConfig(
        32,
        activation,
        true,
        List.of("mlp.gate_proj", "mlp.up_proj"),
        false,
        "mlp.down_proj",
        false);
  }

  private static void untied(DecoderConfig.Draft d) {
    d.head = d.head.withTied(false);
    d.embedding = d.embedding.withPadding(CausalLm.EmbeddingTable.NONE);
  }

  /** A plain Llama. */
  private static DecoderConfig llama() {
    return new DecoderConfig(
        VOCABULARY,
        16,
        POSITIONS,
        new EmbeddingConfig("model.embed_tokens.weight", 1, PADDING, null),
        new NormConfig(
            NormConfig.Kind.RMS,
            1e-6,
            "input_layernorm",
            null,
            "post_attention_layernorm",
            null,
            "model.norm"),
        new AttentionConfig(
            4,
            2,
            8,
            Layout.SEPARATE,
            List.of("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            false,
            "self_attn.o_proj",
            false,
            null,
            0,
            0,
            null,
            false),
        mlp(Activation.SILU),
        null,
        null,
        new HeadConfig("lm_head", true, false, 1, 0),
        false,
        1,
        false,
        "model.layers",
        both(rope()));
  }

  private static DecoderConfig gpt2(int mlpWidth, Activation activation) {
    return llama()
        .with(
            d -> {
              d.embedding =
                  new EmbeddingConfig(
                      "transformer.wte.weight",
                      1,
                      CausalLm.EmbeddingTable.NONE,
                      new EmbeddingConfig.Positions("transformer.wpe.weight", 0));
              d.norms =
                  new NormConfig(
                      NormConfig.Kind.LAYER, 1e-5, "ln_1", null, "ln_2", null, "transformer.ln_f");
              d.attention =
                  new AttentionConfig(
                      4,
                      4,
                      4,
                      Layout.JOINED,
                      List.of("attn.c_attn"),
                      true,
                      "attn.c_proj",
                      true,
                      null,
                      0,
                      0,
                      null,
                      false);
              d.mlp =
                  new MlpConfig(
                      mlpWidth, activation, false, List.of("mlp.c_fc"), true, "mlp.c_proj", true);
              d.transposed = true;
              d.blocks = "transformer.h";
              d.layers = Collections.nCopies(2, new LayerConfig(null, AttentionLayer.ALL, 0.5));
            });
  }
}
