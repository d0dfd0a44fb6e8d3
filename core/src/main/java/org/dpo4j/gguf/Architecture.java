package org.dpo4j.gguf;

import static org.dpo4j.model.decoder.AttentionConfig.Scope.HEAD;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import org.dpo4j.model.Activation;
import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.Rope;
import org.dpo4j.model.RopeScaling;
import org.dpo4j.model.decoder.AttentionConfig;
import org.dpo4j.model.decoder.DecoderConfig;
import org.dpo4j.model.decoder.ExpertConfig;
import org.dpo4j.model.decoder.LayerConfig;
import org.dpo4j.model.decoder.MlpConfig;
import org.dpo4j.model.decoder.NormConfig;
import org.jspecify.annotations.Nullable;

/**
 * What llama.cpp computes for one value of {@code general.architecture}. A model is exported to it
 * only if that is what the model computes.
 */
final class Architecture {

  /** Which channels of a head are rotated together. */
  enum Pairs {
    /** Channels 2i and 2i + 1. */
    NEIGHBOURS,
    /** Channels i and i + half of the rotated width. */
    HALVES
  }

  /** Places of the norms in a block. */
  enum Norms {
    /** Before attention and before the MLP, one after the other. */
    BEFORE,
    /** Of the outputs of attention and of the MLP. */
    AFTER,
    /** Before and of the output of both. */
    AROUND,
    /** One norm for attention and MLP, side by side. */
    SHARED,
    /** Two norms for attention and MLP, side by side. */
    BESIDE
  }

  /** Weights that are there in some models only. */
  enum Bias {
    INPUTS,
    OUTPUT,
    MLP_INPUTS,
    MLP_OUTPUT,
    HEAD,
    NORMS
  }

  /** Factors with keys of their own. */
  enum Factor {
    SCORES,
    EMBEDDING,
    RESIDUAL,
    /** The logits are divided by the value of the key. */
    LOGITS_DIVIDED,
    LOGITS,
    SCORE_CAP,
    LOGIT_CAP,
    CLIP
  }

  /** What stands for a head that is the embedding table. */
  enum Head {
    /** No tensor. */
    TIED_OR_OWN,
    /** No tensor; a head with weights of its own has no place. */
    TIED,
    /** A copy of the table. */
    OWN
  }

  private final String name;
  private boolean layerNorm;
  private final Set<Norms> norms = EnumSet.noneOf(Norms.class);
  private boolean gated = true;
  private Activation activation = Activation.SILU;
  private @Nullable Pairs pairs = Pairs.HALVES;
  private boolean partly;
  private AttentionConfig.@Nullable Scope headNorms;
  private boolean joinedInputs;
  private boolean joinedGate;
  private final Set<Bias> biases = EnumSet.noneOf(Bias.class);
  private final Set<Bias> alwaysThere = EnumSet.noneOf(Bias.class);
  private final Set<Factor> factors = EnumSet.noneOf(Factor.class);
  private boolean rootOfWidth;
  private boolean plainNorms;
  private int windowPeriod; // 0 without windows
  private boolean windowKey;
  private boolean rotatesInWindowsOnly;
  private boolean ownRopeInWindows;
  private int plainEvery; // each such layer has no rotation; 0 for none
  private boolean frequencyTensor;
  private boolean longRope;
  private boolean queryScaling;
  private Head head = Head.TIED_OR_OWN;
  private @Nullable Boolean expertsRenormalized; // null without experts
  private boolean expertsInPlaceOfMlp;
  private boolean sharedExpert;
  private boolean residualFlag;
  private boolean anyHeadWidth;
  private boolean allKeys;
  private int windowsWith; // number of layers with which there are windows; 0 for any
  private int wideScoresWith; // number of layers with which scores have another factor

  private Architecture(String name) {
    this.name = name;
  }

  /** RMS norms before attention and before a gated MLP, whole heads rotated, no biases. */
  static Architecture of(String name, Consumer<Architecture> changes) {
    Architecture architecture = new Architecture(name);
    changes.accept(architecture);
    if (architecture.norms.isEmpty()) {
      architecture.norms.add(Norms.BEFORE);
    }
    return architecture;
  }

  Architecture norms(Norms... places) {
    norms.addAll(List.of(places));
    return this;
  }

  Architecture layerNorms() {
    layerNorm = true;
    return this;
  }

  /** Layer norms without weights. */
  Architecture plainNorms() {
    layerNorm = true;
    plainNorms = true;
    return this;
  }

  Architecture mlp(boolean withGate, Activation function) {
    gated = withGate;
    activation = function;
    return this;
  }

  Architecture pairs(Pairs rotated) {
    pairs = rotated;
    return this;
  }

  /** A part of each head may be rotated. */
  Architecture partly() {
    partly = true;
    return this;
  }

  Architecture learnedPositions() {
    pairs = null;
    return this;
  }

  Architecture headNorms(AttentionConfig.Scope scope) {
    headNorms = scope;
    return this;
  }

  Architecture joinedInputs() {
    joinedInputs = true;
    return this;
  }

  Architecture joinedGate() {
    joinedGate = true;
    return this;
  }

  Architecture mayHave(Bias... some) {
    biases.addAll(List.of(some));
    return this;
  }

  /** Biases that have to be in the file; zeros stand for those that a model lacks. */
  Architecture has(Bias... some) {
    biases.addAll(List.of(some));
    alwaysThere.addAll(List.of(some));
    return this;
  }

  Architecture keys(Factor... some) {
    factors.addAll(List.of(some));
    return this;
  }

  /** Embeddings are multiplied by the root of their width. */
  Architecture rootOfWidth() {
    rootOfWidth = true;
    return this;
  }

  /** All layers but each last of a period have a window. */
  Architecture windows(int period) {
    windowPeriod = period;
    return this;
  }

  /** The key of the window has to be there: older versions refuse a file without it. */
  Architecture windowKey() {
    windowKey = true;
    return this;
  }

  /** With windows, the layers without one are not rotated. */
  Architecture rotatesInWindowsOnly() {
    rotatesInWindowsOnly = true;
    return this;
  }

  /** Layers with a window have a base of their own and no scaling. */
  Architecture ownRopeInWindows() {
    ownRopeInWindows = true;
    return this;
  }

  Architecture plainEvery(int layers) {
    plainEvery = layers;
    return this;
  }

  /** The tensor {@code rope_freqs} may divide the frequencies. */
  Architecture frequencyTensor() {
    frequencyTensor = true;
    return this;
  }

  Architecture longRope() {
    longRope = true;
    return this;
  }

  Architecture queryScaling() {
    queryScaling = true;
    return this;
  }

  Architecture head(Head kind) {
    head = kind;
    return this;
  }

  Architecture experts(boolean renormalized) {
    expertsRenormalized = renormalized;
    return this;
  }

  /** Models without experts are of the architecture too; experts have the width of their MLP. */
  Architecture expertsInPlaceOfMlp() {
    expertsInPlaceOfMlp = true;
    return this;
  }

  Architecture sharedExpert() {
    sharedExpert = true;
    return this;
  }

  /** The heads need not have the width of the hidden states together. */
  Architecture anyHeadWidth() {
    anyHeadWidth = true;
    return this;
  }

  /** There is a key and a value head for each query head. */
  Architecture allKeys() {
    allKeys = true;
    return this;
  }

  /** Only models with this number of layers have windows. */
  Architecture windowsWith(int layers) {
    windowsWith = layers;
    return this;
  }

  /** With this number of layers, scores are divided by the root of hidden size / heads. */
  Architecture wideScoresWith(int layers) {
    wideScoresWith = layers;
    return this;
  }

  /** A key says whether attention and MLP are side by side. */
  Architecture residualFlag() {
    residualFlag = true;
    return this;
  }

  String name() {
    return name;
  }

  Activation activation() {
    return activation;
  }

  @Nullable Pairs pairs() {
    return pairs;
  }

  boolean hasJoinedInputs() {
    return joinedInputs;
  }

  boolean hasJoinedGate() {
    return joinedGate;
  }

  boolean requires(Bias bias) {
    return alwaysThere.contains(bias);
  }

  boolean hasKey(Factor factor) {
    return factors.contains(factor);
  }

  boolean hasWindowKey() {
    return windowKey;
  }

  boolean hasWindows() {
    return windowPeriod > 0;
  }

  boolean hasOwnRopeInWindows() {
    return ownRopeInWindows;
  }

  boolean hasFrequencyTensor() {
    return frequencyTensor;
  }

  boolean hasLongRope() {
    return longRope;
  }

  boolean hasResidualFlag() {
    return residualFlag;
  }

  boolean hasExpertsInPlaceOfMlp() {
    return expertsInPlaceOfMlp;
  }

  boolean hasPlainNorms() {
    return plainNorms;
  }

  Head head() {
    return head;
  }

  /** Where the norms of a model are; null for places that no architecture has. */
  static @Nullable Norms places(DecoderConfig model) {
    NormConfig norms = model.norms();
    boolean before = norms.beforeAttention() != null && norms.beforeMlp() != null;
    boolean after = norms.afterAttention() != null && norms.afterMlp() != null;
    boolean noneBefore = norms.beforeAttention() == null && norms.beforeMlp() == null;
    boolean noneAfter = norms.afterAttention() == null && norms.afterMlp() == null;
    if (model.parallel()) {
      boolean one = before && Objects.equals(norms.beforeAttention(), norms.beforeMlp());
      return before && noneAfter ? one ? Norms.SHARED : Norms.BESIDE : null;
    }
    if (before) {
      return noneAfter ? Norms.BEFORE : after ? Norms.AROUND : null;
    }
    return noneBefore && after ? Norms.AFTER : null;
  }

  /** The number of leading tokens in which no window of an architecture without windows matters. */
  int context(DecoderConfig model) {
    int context = model.maxPositions();
    if (windowPeriod == 0) {
      for (LayerConfig layer : model.layers()) {
        context = Math.min(context, layer.window());
      }
    }
    return context;
  }

  /** What a model computes and this architecture does not, in words; empty for nothing. */
  List<String> lacks(DecoderConfig model) {
    List<String> lacks = new ArrayList<>();
    norms(model, lacks);
    mlp(model, lacks);
    attention(model, lacks);
    biases(model, lacks);
    factors(model, lacks);
    layers(model, lacks);
    if (!model.head().tied() && head == Head.TIED) {
      lacks.add("a head with weights of its own");
    }
    return lacks;
  }

  private void norms(DecoderConfig model, List<String> lacks) {
    NormConfig.Kind kind = model.norms().kind();
    if (kind.isRms() == layerNorm || (plainNorms && kind != NormConfig.Kind.LAYER_PLAIN)) {
      lacks.add("norms of the kind " + kind.name().toLowerCase(Locale.ROOT).replace('_', ' '));
    }
    Norms places = places(model);
    if (places == null || !norms.contains(places)) {
      lacks.add("norms in these places");
    }
  }

  private void mlp(DecoderConfig model, List<String> lacks) {
    MlpConfig mlp = model.mlp();
    boolean dense = model.layers().stream().anyMatch(layer -> !layer.sparse());
    boolean sparse = model.layers().stream().anyMatch(LayerConfig::sparse);
    if (dense && mlp.gated() != gated) {
      lacks.add(mlp.gated() ? "an MLP with a gate" : "an MLP without a gate");
    }
    if (mlp.activation() != activation
        && !(mlp.activation() == Activation.GELU && activation == Activation.GELU_TANH)) {
      lacks.add(
          "the activation "
              + switch (mlp.activation()) {
                case GELU -> "gelu in its exact form";
                case GELU_TANH -> "gelu in its tanh form";
                default -> mlp.activation().name().toLowerCase(Locale.ROOT);
              });
    }
    ExpertConfig experts = model.experts();
    if (!sparse || experts == null) {
      if (expertsRenormalized != null && !expertsInPlaceOfMlp) {
        lacks.add("layers without experts");
      }
      return;
    }
    if (expertsRenormalized == null) {
      lacks.add("experts");
      return;
    }
    if (dense) {
      lacks.add("layers without experts");
    }
    if (experts.renormalized() != expertsRenormalized) {
      lacks.add(
          experts.renormalized()
              ? "weights of a token's experts with the sum 1"
              : "weights of a token's experts with a sum below 1");
    }
    if ((experts.shared() != null) != sharedExpert) {
      lacks.add(sharedExpert ? "experts without a shared one" : "a shared expert");
    }
    if (experts.clamp() != null) {
      lacks.add("experts with a clamped activation");
    }
  }

  private void attention(DecoderConfig model, List<String> lacks) {
    AttentionConfig attention = model.attention();
    AttentionConfig.HeadNorms heads = attention.norms();
    if (heads == null ? headNorms != null : heads.scope() != headNorms) {
      lacks.add(heads == null ? "heads without norms" : "norms of queries and keys");
    }
    if (heads != null
        && model.norms().kind() != NormConfig.Kind.RMS
        && !(heads.scope() == HEAD && model.norms().kind() == NormConfig.Kind.RMS_DIFFERENCE)) {
      lacks.add("layer norms of queries and keys");
    }
    if (!anyHeadWidth && attention.heads() * attention.headDim() != model.hiddenSize()) {
      lacks.add("heads with another width than the hidden states together");
    }
    if (allKeys && attention.keyValueHeads() != attention.heads()) {
      lacks.add("fewer key heads than query heads");
    }
    if (attention.sinks() != null) {
      lacks.add("attention sinks");
    }
    if ((model.embedding().positions() == null) != (pairs != null)) {
      lacks.add(pairs == null ? "positions that are not learned" : "learned positions");
    }
  }

  private void biases(DecoderConfig model, List<String> lacks) {
    boolean dense = model.layers().stream().anyMatch(layer -> !layer.sparse());
    require(Bias.INPUTS, model.attention().inputBias(), "biases of q, k and v", lacks);
    require(Bias.OUTPUT, model.attention().outputBias(), "a bias of attention's output", lacks);
    require(Bias.MLP_INPUTS, dense && model.mlp().inputBias(), "biases of the MLP's inputs", lacks);
    require(
        Bias.MLP_OUTPUT, dense && model.mlp().outputBias(), "a bias of the MLP's output", lacks);
    require(Bias.HEAD, model.head().bias(), "a bias of the head", lacks);
    require(Bias.NORMS, model.norms().kind().isBiased(), "biases of the norms", lacks);
  }

  private void require(Bias bias, boolean has, String words, List<String> lacks) {
    if (has && !biases.contains(bias)) {
      lacks.add(words);
    }
  }

  private void factors(DecoderConfig model, List<String> lacks) {
    double root = Math.sqrt(model.hiddenSize());
    double embedding = rootOfWidth ? model.embedding().scale() / root : model.embedding().scale();
    factor(Factor.EMBEDDING, embedding, 1, "a factor of the embeddings", lacks);
    factor(Factor.RESIDUAL, model.residualScale(), 1, "a factor of the residual stream", lacks);
    Factor logits = hasKey(Factor.LOGITS) ? Factor.LOGITS : Factor.LOGITS_DIVIDED;
    factor(logits, model.head().scale(), 1, "a factor of the logits", lacks);
    factor(Factor.LOGIT_CAP, model.head().cap(), 0, "a cap of the logits", lacks);
    factor(Factor.SCORE_CAP, model.attention().cap(), 0, "a cap of attention's scores", lacks);
    factor(Factor.CLIP, model.attention().clip(), 0, "a limit of q, k and v", lacks);
    AttentionConfig attention = model.attention();
    int width =
        model.layers().size() == wideScoresWith
            ? model.hiddenSize() / attention.heads()
            : attention.headDim();
    double usual = 1 / Math.sqrt(width);
    double scale = model.layers().get(0).scale();
    if (model.layers().stream().anyMatch(layer -> layer.scale() != scale)) {
      lacks.add("factors of attention's scores that differ between layers");
    } else {
      factor(Factor.SCORES, scale / usual, 1, "this factor of attention's scores", lacks);
    }
  }

  private void factor(Factor key, double value, double neutral, String words, List<String> lacks) {
    if (!hasKey(key) && Math.abs(value - neutral) > 1e-6) {
      lacks.add(words);
    }
  }

  private void layers(DecoderConfig model, List<String> lacks) {
    int context = context(model);
    List<LayerConfig> layers = model.layers();
    boolean windows = windowPeriod > 0 && layers.stream().anyMatch(l -> l.window() < context);
    if (windows && windowsWith != 0 && windowsWith != layers.size()) {
      lacks.add("windows with this number of layers");
      return;
    }
    Rope first = model.firstRope();
    for (int i = 0; i < layers.size(); i++) {
      LayerConfig layer = layers.get(i);
      boolean windowed = windows && i % windowPeriod < windowPeriod - 1;
      boolean limited = layer.window() < context;
      if (windowPeriod > 0 && limited != windowed) {
        lacks.add("windows in these layers");
        return;
      }
      if (limited && layer.window() != window(model)) {
        lacks.add("windows of several sizes");
        return;
      }
      boolean rotated =
          pairs != null
              && (plainEvery == 0 || (i + 1) % plainEvery != 0)
              && !(rotatesInWindowsOnly && windows && !windowed);
      if (rotated != (layer.rope() != null)) {
        lacks.add(rotated ? "layers without rotary positions" : "rotary positions in these layers");
        return;
      }
      if (layer.rope() != null && !ropeFits(layer.rope(), first, windowed, model, lacks)) {
        return;
      }
    }
  }

  /** The width of the windows; the whole context without any. */
  int window(DecoderConfig model) {
    return model.layers().stream().mapToInt(LayerConfig::window).min().orElse(AttentionLayer.ALL);
  }

  private boolean ropeFits(
      Rope rope, @Nullable Rope first, boolean windowed, DecoderConfig model, List<String> lacks) {
    int before = lacks.size();
    if (rope.width() != model.attention().headDim() && !partly) {
      lacks.add("partly rotated heads");
    }
    if (rope.queryScaling() != null && !queryScaling) {
      lacks.add("queries that are scaled with their position");
    }
    boolean scaled = !(rope.scaling() instanceof RopeScaling.None);
    if (windowed && ownRopeInWindows) {
      if (scaled) {
        lacks.add("scaled rotary positions in layers with a window");
      }
    } else if (!ownRopeInWindows && !rope.equals(first)) {
      lacks.add("rotary positions that differ between layers");
    }
    if (scaled && !scalingFits(rope.scaling())) {
      lacks.add("this scaling of rotary positions");
    }
    return lacks.size() == before;
  }

  private boolean scalingFits(RopeScaling scaling) {
    return frequencyTensor
        || scaling instanceof RopeScaling.LinearInterpolation
        || (scaling instanceof RopeScaling.Yarn yarn && yarn.truncate())
        || (scaling instanceof RopeScaling.LongRope && longRope);
  }
}
