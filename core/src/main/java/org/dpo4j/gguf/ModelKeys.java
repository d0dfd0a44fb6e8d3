package org.dpo4j.gguf;

import java.util.Objects;
import java.util.Optional;
import org.dpo4j.model.Rope;
import org.dpo4j.model.RopeScaling;
import org.dpo4j.model.decoder.AttentionConfig;
import org.dpo4j.model.decoder.DecoderConfig;
import org.dpo4j.model.decoder.ExpertConfig;
import org.dpo4j.model.decoder.LayerConfig;

/** The keys that describe a model to llama.cpp. */
final class ModelKeys {

  private final Architecture architecture;
  private final DecoderConfig model;
  private final GgufMetadata keys = new GgufMetadata();

  private ModelKeys(Architecture architecture, DecoderConfig model) {
    this.architecture = architecture;
    this.model = model;
  }

  /**
   * The keys of a model.
   *
   * @param model fits the architecture
   */
  static GgufMetadata of(Architecture architecture, DecoderConfig model) {
    ModelKeys all = new ModelKeys(architecture, model);
    all.sizes();
    all.factors();
    all.rope();
    all.windows();
    all.experts();
    return all.keys;
  }

  private String key(String end) {
    return architecture.name() + "." + end;
  }

  private void sizes() {
    AttentionConfig attention = model.attention();
    keys.number(key("vocab_size"), model.vocabSize());
    keys.number(key("context_length"), architecture.context(model));
    keys.number(key("embedding_length"), model.hiddenSize());
    keys.number(key("block_count"), model.layers().size());
    keys.number(key("feed_forward_length"), model.mlp().width());
    keys.number(key("attention.head_count"), attention.heads());
    keys.number(key("attention.head_count_kv"), attention.keyValueHeads());
    keys.number(key("attention.key_length"), attention.headDim());
    keys.number(key("attention.value_length"), attention.headDim());
    boolean rms = model.norms().kind().isRms();
    keys.real(
        key(rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon"),
        model.norms().epsilon());
    if (architecture.hasResidualFlag()) {
      keys.flag(key("use_parallel_residual"), model.parallel());
    }
  }

  private void factors() {
    real(Architecture.Factor.SCORES, "attention.scale", model.layers().get(0).scale());
    real(Architecture.Factor.EMBEDDING, "embedding_scale", model.embedding().scale());
    real(Architecture.Factor.RESIDUAL, "residual_scale", model.residualScale());
    real(Architecture.Factor.LOGITS_DIVIDED, "logit_scale", 1 / model.head().scale());
    real(Architecture.Factor.LOGITS, "logit_scale", model.head().scale());
    cap(Architecture.Factor.LOGIT_CAP, "final_logit_softcapping", model.head().cap());
    cap(Architecture.Factor.SCORE_CAP, "attn_logit_softcapping", model.attention().cap());
    cap(Architecture.Factor.CLIP, "attention.clamp_kqv", model.attention().clip());
  }

  private void real(Architecture.Factor factor, String end, double value) {
    if (architecture.hasKey(factor)) {
      keys.real(key(end), value);
    }
  }

  private void cap(Architecture.Factor factor, String end, double value) {
    if (value != 0) {
      real(factor, end, value);
    }
  }

  private void rope() {
    Optional<Rope> main =
        model.layers().stream()
            .filter(layer -> layer.rope() != null && !ofWindow(layer))
            .map(LayerConfig::rope)
            .filter(Objects::nonNull)
            .findFirst();
    Optional<Rope> any = Optional.ofNullable(model.firstRope());
    main.or(() -> any).ifPresent(this::rope);
    if (architecture.hasOwnRopeInWindows()) {
      any.filter(rope -> main.isPresent())
          .ifPresent(rope -> keys.real(key("rope.freq_base_swa"), rope.theta()));
    }
  }

  /** Whether the layer has the rotary positions of layers with a window. */
  private boolean ofWindow(LayerConfig layer) {
    return architecture.hasOwnRopeInWindows() && layer.window() < model.maxPositions();
  }

  private void rope(Rope rope) {
    keys.real(key("rope.freq_base"), rope.theta());
    keys.number(key("rope.dimension_count"), rope.width());
    RopeScaling scaling = rope.scaling();
    Rope.QueryScaling queries = rope.queryScaling();
    if (queries != null) {
      keys.real(key("attention.temperature_scale"), queries.beta());
      keys.number(key("rope.scaling.original_context_length"), queries.originalPositions());
    }
    if (scaling instanceof RopeScaling.None) {
      return;
    }
    if (architecture.hasFrequencyTensor()) {
      keys.real(key("rope.scaling.attn_factor"), scaling.magnitude());
    } else if (scaling instanceof RopeScaling.LinearInterpolation linear) {
      keys.text(key("rope.scaling.type"), "linear");
      keys.real(key("rope.scaling.factor"), linear.factor());
    } else if (scaling instanceof RopeScaling.Yarn yarn) {
      keys.text(key("rope.scaling.type"), "yarn");
      keys.real(key("rope.scaling.factor"), yarn.factor());
      keys.number(key("rope.scaling.original_context_length"), yarn.originalPositions());
      keys.real(key("rope.scaling.yarn_beta_fast"), yarn.fastTurns());
      keys.real(key("rope.scaling.yarn_beta_slow"), yarn.slowTurns());
      // llama.cpp has a magnitude of its own, which it multiplies by this.
      keys.real(
          key("rope.scaling.attn_factor"), yarn.magnitude() / (1 + 0.1 * Math.log(yarn.factor())));
    } else if (scaling instanceof RopeScaling.LongRope longRope) {
      keys.number(key("rope.scaling.original_context_length"), longRope.originalPositions());
      keys.real(key("rope.scaling.attn_factor"), longRope.magnitude());
    }
  }

  private void windows() {
    int window = architecture.window(model);
    if (architecture.hasWindows() && window < architecture.context(model)) {
      keys.number(key("attention.sliding_window"), window);
    } else if (architecture.hasWindowKey()) {
      keys.number(key("attention.sliding_window"), architecture.context(model));
    }
  }

  private void experts() {
    ExpertConfig experts = model.experts();
    if (experts == null || model.layers().stream().noneMatch(LayerConfig::sparse)) {
      return;
    }
    keys.number(key("expert_count"), experts.count());
    keys.number(key("expert_used_count"), experts.chosen());
    if (!architecture.hasExpertsInPlaceOfMlp()) {
      keys.number(key("expert_feed_forward_length"), experts.width());
    }
    ExpertConfig.Shared shared = experts.shared();
    if (shared != null) {
      keys.number(key("expert_shared_feed_forward_length"), shared.width());
    }
  }
}
