package org.dpo4j.model.decoder;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.AdapterSlot;
import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.DecoderBlock;
import org.dpo4j.model.LayerNorm;
import org.dpo4j.model.Linear;
import org.dpo4j.model.Node;
import org.dpo4j.model.Norm;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.Parameters;
import org.dpo4j.model.RmsNorm;
import org.dpo4j.model.Rope;
import org.dpo4j.model.RotaryEmbedding;
import org.dpo4j.model.Rotations;
import org.dpo4j.model.RouterLoss;
import org.jspecify.annotations.Nullable;

/**
 * A stack of blocks of attention and MLP, as a configuration describes it; weight names and layouts
 * are those of Hugging Face checkpoints. No dropout. Radford et al. 2019, "Language Models are
 * Unsupervised Multitask Learners"; Touvron et al. 2023, arXiv 2302.13971.
 */
public final class Decoder implements CausalLm {

  private record Block(
      DecoderConfig config,
      LayerConfig kind,
      AttentionLayer attention,
      @Nullable Norm beforeAttention,
      Projections inputs,
      @Nullable Norm queryNorm,
      @Nullable Norm keyNorm,
      Linear output,
      @Nullable Norm afterAttention,
      @Nullable Norm beforeMlp,
      Mlp mlp,
      @Nullable Norm afterMlp)
      implements DecoderBlock {

    @Override
    public Projected project(Node states, Rotations rotations) {
      List<Node> parts = inputs.apply(normed(states, beforeAttention));
      Node query = clipped(parts.get(0));
      Node key = clipped(parts.get(1));
      Node value = heads(clipped(parts.get(2)), config.attention().keyValueHeads());
      if (normalizes(AttentionConfig.Scope.ALL_HEADS)) {
        query = normed(query, queryNorm);
        key = normed(key, keyNorm);
      }
      query = heads(query, config.attention().heads());
      key = heads(key, config.attention().keyValueHeads());
      if (normalizes(AttentionConfig.Scope.HEAD)) {
        query = normed(query, queryNorm);
        key = normed(key, keyNorm);
      }
      if (kind.rope() != null) {
        RotaryEmbedding rotary = rotations.of(kind.rope());
        query = rotary.query(query);
        key = rotary.key(key);
      }
      if (normalizes(AttentionConfig.Scope.ROTATED_HEAD)) {
        query = normed(query, queryNorm);
        key = normed(key, keyNorm);
      }
      return new Projected(query, key, value);
    }

    @Override
    public Node finish(Node states, Node attended) {
      return finish(states, attended, null);
    }

    @Override
    public Node finish(Node states, Node attended, RouterLoss.@Nullable Log routers) {
      double scale = config.residualScale();
      Node after = states.plus(normed(output.apply(attended), afterAttention).times(scale));
      Node read = config.parallel() ? states : after;
      return after.plus(normed(mlp.apply(normed(read, beforeMlp), routers), afterMlp).times(scale));
    }

    private boolean normalizes(AttentionConfig.Scope scope) {
      AttentionConfig.HeadNorms norms = config.attention().norms();
      return norms != null && norms.scope() == scope;
    }

    private Node clipped(Node part) {
      double limit = config.attention().clip();
      return limit == 0 ? part : part.clamp(limit);
    }

    /** (tokens, heads x headDim), in any grouping, to (tokens, heads, headDim). */
    private Node heads(Node states, int heads) {
      return states.reshape(-1, heads, config.attention().headDim());
    }

    private static Node normed(Node states, @Nullable Norm norm) {
      return norm == null ? states : norm.apply(states);
    }
  }

  private final DecoderConfig config;
  private final Parameters parameters = new Parameters();
  private final Tensor embedding; // (vocab, hidden)
  private final AdapterSlot tableSlot;
  private final @Nullable Tensor positions; // (offset + maxPositions, hidden)
  private final List<Block> blocks = new ArrayList<>();
  private final Norm finalNorm;
  private final Linear head;
  private final Set<Rope> ropes = new LinkedHashSet<>();

  public Decoder(DecoderConfig config, ParameterSource source) {
    this.config = config;
    int hidden = config.hiddenSize();
    ParameterSource.Kind table = ParameterSource.Kind.EMBEDDING;
    embedding =
        parameters.take(source, config.embedding().table(), table, config.vocabSize(), hidden);
    tableSlot = parameters.tableSlot(config.embedding().path(), embedding);
    EmbeddingConfig.Positions learned = config.embedding().positions();
    positions =
        learned == null
            ? null
            : parameters.take(
                source,
                learned.table(),
                table,
                (long) learned.offset() + config.maxPositions(),
                hidden);
    for (int i = 0; i < config.layers().size(); i++) {
      blocks.add(block(i, source));
      Rope rope = config.layers().get(i).rope();
      if (rope != null) {
        ropes.add(rope);
      }
    }
    finalNorm = norm(config.norms().last(), source, hidden);
    head = head(source);
  }

  private Linear head(ParameterSource source) {
    HeadConfig settings = config.head();
    int hidden = config.hiddenSize();
    int vocabulary = config.vocabSize();
    if (!settings.tied()) {
      return Linear.take(parameters, source, settings.name(), hidden, vocabulary, settings.bias());
    }
    Tensor bias =
        settings.bias()
            ? parameters.take(
                source, settings.name() + ".bias", ParameterSource.Kind.BIAS, vocabulary)
            : null;
    return new Linear(
        parameters.matrix(embedding),
        false,
        bias,
        parameters.slot(settings.name(), embedding, false));
  }

  private Block block(int number, ParameterSource source) {
    LayerConfig kind = config.layers().get(number);
    AttentionConfig attention = config.attention();
    NormConfig norms = config.norms();
    String prefix = config.blocks() + "." + number + ".";
    int hidden = config.hiddenSize();
    int headDim = attention.headDim();
    int queryWidth = attention.heads() * headDim;
    int keyWidth = attention.keyValueHeads() * headDim;
    Norm beforeAttention = place(prefix, norms.beforeAttention(), source);
    Projections inputs =
        new Projections(
            linears(
                prefix,
                attention.inputs(),
                source,
                attention.inputBias(),
                queryWidth,
                keyWidth,
                keyWidth),
            attention.layout() == AttentionConfig.Layout.BY_HEAD ? attention.keyValueHeads() : 1,
            List.of(queryWidth, keyWidth, keyWidth));
    AttentionConfig.HeadNorms heads = attention.norms();
    boolean all = heads != null && heads.scope() == AttentionConfig.Scope.ALL_HEADS;
    Norm queryNorm =
        heads == null ? null : norm(prefix + heads.query(), source, all ? queryWidth : headDim);
    Norm keyNorm =
        heads == null ? null : norm(prefix + heads.key(), source, all ? keyWidth : headDim);
    Tensor sinks =
        attention.sinks() == null
            ? null
            : parameters.take(
                source, prefix + attention.sinks(), ParameterSource.Kind.SINKS, attention.heads());
    Linear output =
        linear(prefix + attention.output(), source, queryWidth, hidden, attention.outputBias());
    Norm afterAttention = place(prefix, norms.afterAttention(), source);
    String beforeMlp = norms.beforeMlp();
    boolean shared = beforeMlp != null && beforeMlp.equals(norms.beforeAttention());
    return new Block(
        config,
        kind,
        new AttentionLayer(number, kind.scale(), kind.window(), attention.cap(), sinks),
        beforeAttention,
        inputs,
        queryNorm,
        keyNorm,
        output,
        afterAttention,
        shared ? beforeAttention : place(prefix, beforeMlp, source),
        mlp(kind, prefix, source),
        place(prefix, norms.afterMlp(), source));
  }

  private Mlp mlp(LayerConfig kind, String prefix, ParameterSource source) {
    MlpConfig mlp = config.mlp();
    if (kind.sparse()) {
      ExpertConfig experts =
          Objects.requireNonNull(config.experts(), "a sparse layer has no settings of experts");
      return ExpertParts.take(
          parameters, source, experts, mlp.activation(), config.hiddenSize(), prefix);
    }
    Integer[] widths =
        mlp.gated() ? new Integer[] {mlp.width(), mlp.width()} : new Integer[] {mlp.width()};
    return new DenseMlp(
        new Projections(
            linears(prefix, mlp.inputs(), source, mlp.inputBias(), widths), 1, List.of(widths)),
        mlp.activation(),
        linear(prefix + mlp.output(), source, mlp.width(), config.hiddenSize(), mlp.outputBias()));
  }

  /**
   * Linear layers of the hidden states.
   *
   * @param names one for each width, or one for all together
   */
  private List<Linear> linears(
      String prefix, List<String> names, ParameterSource source, boolean bias, Integer... widths) {
    List<Linear> linears = new ArrayList<>();
    for (int i = 0; i < names.size(); i++) {
      long out = 0;
      for (int j = 0; j < widths.length; j++) {
        out += names.size() == 1 || j == i ? widths[j] : 0;
      }
      linears.add(linear(prefix + names.get(i), source, config.hiddenSize(), out, bias));
    }
    return linears;
  }

  private Linear linear(String name, ParameterSource source, long in, long out, boolean bias) {
    return Linear.take(parameters, source, name, in, out, bias, config.transposed());
  }

  private @Nullable Norm place(String prefix, @Nullable String name, ParameterSource source) {
    return name == null ? null : norm(prefix + name, source, config.hiddenSize());
  }

  private Norm norm(String name, ParameterSource source, long width) {
    double epsilon = config.norms().epsilon();
    return switch (config.norms().kind()) {
      case RMS -> RmsNorm.take(parameters, source, name, width, 0, epsilon);
      case RMS_DIFFERENCE -> RmsNorm.take(parameters, source, name, width, 1, epsilon);
      case LAYER -> LayerNorm.take(parameters, source, name, width, true, 0, epsilon);
      case LAYER_UNBIASED -> LayerNorm.take(parameters, source, name, width, false, 0, epsilon);
      case LAYER_DIFFERENCE -> LayerNorm.take(parameters, source, name, width, true, 1, epsilon);
      case LAYER_PLAIN -> LayerNorm.plain(width, epsilon);
    };
  }

  @Override
  public List<EmbeddingTable> embeddingTables() {
    EmbeddingConfig settings = config.embedding();
    List<EmbeddingTable> tables = new ArrayList<>();
    tables.add(EmbeddingTable.ofTokens(embedding, settings.scale(), settings.padding(), tableSlot));
    if (positions != null && settings.positions() != null) {
      tables.add(EmbeddingTable.ofPositions(positions, settings.positions().offset()));
    }
    return tables;
  }

  @Override
  public List<? extends DecoderBlock> blocks() {
    return blocks;
  }

  @Override
  public Rotations rotations(Tensor positions) {
    return Rotations.of(ropes, positions, parameters.like());
  }

  @Override
  public Node finalNorm(Node states) {
    return finalNorm.apply(states).times(config.head().scale());
  }

  @Override
  public Linear head() {
    return head;
  }

  @Override
  public double logitCap() {
    return config.head().cap();
  }

  @Override
  public @Nullable RouterLoss routerLoss() {
    ExpertConfig experts = config.experts();
    return experts == null || experts.lossCoefficient() == 0
        ? null
        : new RouterLoss(experts.count(), experts.chosen(), experts.lossCoefficient());
  }

  @Override
  public List<String> untapedParts() {
    return config.untapedParts();
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
  public Decoder copy() {
    return new Decoder(config, parameters.copies());
  }
}
