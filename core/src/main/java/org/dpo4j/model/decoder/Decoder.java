package org.dpo4j.model.decoder;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.AdapterSlot;
import org.dpo4j.model.AttentionBlock;
import org.dpo4j.model.AttentionLayer;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.DecoderBlock;
import org.dpo4j.model.LayerNorm;
import org.dpo4j.model.Linear;
import org.dpo4j.model.Node;
import org.dpo4j.model.Norm;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.Parameters;
import org.dpo4j.model.Recurrence;
import org.dpo4j.model.RecurrentBlock;
import org.dpo4j.model.RmsNorm;
import org.dpo4j.model.Rope;
import org.dpo4j.model.RotaryEmbedding;
import org.dpo4j.model.Rotations;
import org.dpo4j.model.RouterLoss;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * A stack of blocks of attention, or a recurrence, and MLP, as a configuration describes it; weight
 * names and layouts are those of Hugging Face checkpoints. No dropout. Radford et al. 2019,
 * "Language Models are Unsupervised Multitask Learners"; Touvron et al. 2023, arXiv 2302.13971.
 */
public final class Decoder implements CausalLm {

  private record Attending(
      AttentionConfig config,
      LayerConfig kind,
      AttentionLayer attention,
      Residual residual,
      Projections inputs,
      @Nullable Norm queryNorm,
      @Nullable Norm keyNorm,
      Linear output)
      implements AttentionBlock {

    @Override
    public Projected project(Node states, Rotations rotations) {
      List<Node> parts = inputs.apply(residual.input(states));
      Node query = parts.get(0);
      Node gate = null;
      if (config.gated()) {
        long width = config.headDim();
        List<Node> both = query.reshape(-1, config.heads(), 2 * width).split(width, width);
        query = both.get(0).reshape(-1, config.heads() * width);
        gate = sigmoid(both.get(1).reshape(-1, config.heads() * width));
      }
      query = clipped(query);
      Node key = clipped(parts.get(config.valuesFirst() ? 2 : 1));
      Node value = heads(clipped(parts.get(config.valuesFirst() ? 1 : 2)), config.keyValueHeads());
      if (normalizes(AttentionConfig.Scope.ALL_HEADS)) {
        query = normed(query, queryNorm);
        key = normed(key, keyNorm);
      }
      query = heads(query, config.heads());
      key = heads(key, config.keyValueHeads());
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
      return new Projected(query, key, value, gate);
    }

    @Override
    public Node finish(Node states, Node mixed, RouterLoss.@Nullable LogitsSink routers) {
      return residual.finish(states, output.apply(mixed), routers);
    }

    private boolean normalizes(AttentionConfig.Scope scope) {
      AttentionConfig.HeadNorms norms = config.norms();
      return norms != null && norms.scope() == scope;
    }

    private Node clipped(Node part) {
      double limit = config.clip();
      return limit == 0 ? part : part.clamp(limit);
    }

    /** (tokens, heads x headDim), in any grouping, to (tokens, heads, headDim). */
    private Node heads(Node states, int heads) {
      return states.reshape(-1, heads, config.headDim());
    }

    private static Node normed(Node states, @Nullable Norm norm) {
      return norm == null ? states : norm.apply(states);
    }

    private static Node sigmoid(Node gate) {
      return gate.untaped(gate.value().sigmoid());
    }
  }

  private record Recurring(int number, Residual residual, RecurrenceParts parts)
      implements RecurrentBlock {

    @Override
    public Recurrence recurrence() {
      return parts.recurrence();
    }

    @Override
    public Node project(Node states) {
      Node input = residual.input(states);
      List<Tensor> outputs =
          parts.inputs().stream().map(linear -> linear.apply(input).value()).toList();
      return input.untaped(outputs.size() == 1 ? outputs.get(0) : Tensors.cat(outputs, 1));
    }

    @Override
    public Node finish(Node states, Node mixed, RouterLoss.@Nullable LogitsSink routers) {
      return residual.finish(states, parts.output().apply(mixed), routers);
    }
  }

  private final DecoderConfig config;
  private final Parameters parameters = new Parameters();
  private final Tensor embedding; // (vocab, hidden)
  private final AdapterSlot tableSlot;
  private final @Nullable Tensor positions; // (offset + maxPositions, hidden)
  private final List<DecoderBlock> blocks = new ArrayList<>();
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

  private DecoderBlock block(int number, ParameterSource source) {
    LayerConfig kind = config.layers().get(number);
    String prefix = config.blocks() + "." + number + ".";
    Norm before = place(prefix, config.norms().beforeAttention(), source);
    if (kind.recurrent()) {
      RecurrenceParts parts =
          RecurrenceParts.take(
              parameters,
              source,
              Objects.requireNonNull(config.recurrence(), "a recurrent layer has no settings"),
              config.hiddenSize(),
              config.mlp().activation(),
              config.norms().epsilon(),
              prefix);
      return new Recurring(number, residual(kind, before, prefix, source), parts);
    }
    AttentionConfig attention = config.attention();
    int hidden = config.hiddenSize();
    int headDim = attention.headDim();
    int queryWidth = attention.heads() * headDim;
    int keyWidth = attention.keyValueHeads() * headDim;
    int firstWidth = attention.gated() ? 2 * queryWidth : queryWidth;
    Projections inputs =
        new Projections(
            linears(
                prefix,
                attention.inputs(),
                source,
                attention.inputBias(),
                firstWidth,
                keyWidth,
                keyWidth),
            attention.groups(),
            List.of(firstWidth, keyWidth, keyWidth));
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
    return new Attending(
        attention,
        kind,
        new AttentionLayer(number, kind.scale(), kind.window(), attention.cap(), sinks),
        residual(kind, before, prefix, source),
        inputs,
        queryNorm,
        keyNorm,
        output);
  }

  /** Takes what comes after the token mixer. */
  private Residual residual(
      LayerConfig kind, @Nullable Norm before, String prefix, ParameterSource source) {
    NormConfig norms = config.norms();
    Norm after = place(prefix, norms.afterAttention(), source);
    String beforeMlp = norms.beforeMlp();
    boolean shared = beforeMlp != null && beforeMlp.equals(norms.beforeAttention());
    return new Residual(
        config.residualScale(),
        config.parallel(),
        before,
        after,
        shared ? before : place(prefix, beforeMlp, source),
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
