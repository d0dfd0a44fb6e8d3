package org.dpo4j.model.decoder;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.dpo4j.model.ModelShape;
import org.dpo4j.model.Rope;
import org.jspecify.annotations.Nullable;

/**
 * Sizes, switches and names of a {@link Decoder}.
 *
 * @param vocabSize number of tokens in the vocabulary
 * @param hiddenSize width of the residual stream
 * @param maxPositions maximum length of a sequence, in tokens
 * @param embedding of tokens and positions
 * @param norms kind and places
 * @param attention of all blocks
 * @param mlp of the blocks without experts
 * @param experts of the other blocks; null for none
 * @param recurrence of the blocks without attention; null for none
 * @param head from states to logits
 * @param parallel whether the MLP reads the input of the block instead of the sum after attention
 * @param residualScale factor of what attention and MLP add to the residual stream
 * @param transposed whether the matrices of the blocks are stored as (in, out)
 * @param blocks path of the blocks, as in {@code model.layers}
 * @param layers settings of each block, in order
 */
public record DecoderConfig(
    int vocabSize,
    int hiddenSize,
    int maxPositions,
    EmbeddingConfig embedding,
    NormConfig norms,
    AttentionConfig attention,
    MlpConfig mlp,
    @Nullable ExpertConfig experts,
    @Nullable RecurrenceConfig recurrence,
    HeadConfig head,
    boolean parallel,
    double residualScale,
    boolean transposed,
    String blocks,
    List<LayerConfig> layers) {

  /**
   * Each expert of each layer becomes an object before any weight is read; no model has so many.
   */
  private static final int MOST_EXPERTS = 100_000;

  public DecoderConfig {
    layers = List.copyOf(layers);
    if (layers.stream().noneMatch(LayerConfig::sparse)) {
      experts = null; // settings that no layer uses
    }
    if (experts != null && (long) experts.count() * layers.size() > MOST_EXPERTS) {
      throw new IllegalArgumentException(
          "the experts of all layers must be at most %,d but %,d in each of %,d layers are more"
              .formatted(MOST_EXPERTS, experts.count(), layers.size()));
    }
    for (LayerConfig layer : layers) {
      if (layer.rope() != null && !(layer.rope().theta() > 0)) {
        throw new IllegalArgumentException(
            "rope_theta must be positive but was " + layer.rope().theta());
      }
    }
  }

  /** The same with a few of its blocks: the first of each kind, then the most frequent kinds. */
  public DecoderConfig withLayers(int count) {
    List<LayerConfig> first = firstOfEachKind();
    List<LayerConfig> some = new ArrayList<>(first);
    List<LayerConfig> others = new ArrayList<>(layers);
    first.forEach(others::remove);
    others.sort(Comparator.comparingLong(this::sameKind).reversed());
    some.addAll(others);
    return with(config -> config.layers = some.subList(0, Math.min(count, some.size())));
  }

  /** Number of kinds of blocks: with attention or a recurrence, with an MLP or experts. */
  public int kinds() {
    return firstOfEachKind().size();
  }

  private List<LayerConfig> firstOfEachKind() {
    List<LayerConfig> first = new ArrayList<>();
    for (LayerConfig layer : layers) {
      if (first.stream().noneMatch(layer::sameKindAs)) {
        first.add(layer);
      }
    }
    return first;
  }

  private long sameKind(LayerConfig layer) {
    return layers.stream().filter(layer::sameKindAs).count();
  }

  /** The same with the embedding table for a head, or not. */
  public DecoderConfig withTiedHead(boolean tied) {
    return with(config -> config.head = head.withTied(tied));
  }

  /**
   * The same with the weights of everything but the head under another path.
   *
   * @param from path of all those weights, with a dot at the end
   * @param to in its place
   */
  public DecoderConfig moved(String from, String to) {
    UnaryOperator<String> moved =
        name -> {
          if (!name.startsWith(from)) {
            throw new IllegalArgumentException(name + " is not in " + from);
          }
          return to + name.substring(from.length());
        };
    return with(
        config -> {
          config.embedding = embedding.withTable(moved.apply(embedding.table()));
          config.norms = norms.withLast(moved.apply(norms.last()));
          config.blocks = moved.apply(blocks);
        });
  }

  /** The same after changes. */
  public DecoderConfig with(Consumer<Draft> changes) {
    Draft draft = new Draft(this);
    changes.accept(draft);
    return draft.config();
  }

  /** The rotary embedding of the first layer that has one; null if none has. */
  public @Nullable Rope firstRope() {
    return layers.stream().map(LayerConfig::rope).filter(Objects::nonNull).findFirst().orElse(null);
  }

  /** The parts without a hand-written backward formula, in words. */
  public List<String> untapedParts() {
    List<String> parts = new ArrayList<>();
    if (attention.gated()) {
      parts.add("gated attention");
    }
    if (recurrence != null && layers.stream().anyMatch(LayerConfig::recurrent)) {
      parts.add(recurrence.words());
    }
    return parts;
  }

  /** The sizes that determine memory and arithmetic. */
  public ModelShape shape() {
    return DecoderShape.of(this);
  }

  /** A configuration that can be changed. */
  public static final class Draft {
    public int vocabSize;
    public int hiddenSize;
    public int maxPositions;
    public EmbeddingConfig embedding;
    public NormConfig norms;
    public AttentionConfig attention;
    public MlpConfig mlp;
    public @Nullable ExpertConfig experts;
    public @Nullable RecurrenceConfig recurrence;
    public HeadConfig head;
    public boolean parallel;
    public double residualScale;
    public boolean transposed;
    public String blocks;
    public List<LayerConfig> layers;

    private Draft(DecoderConfig config) {
      vocabSize = config.vocabSize;
      hiddenSize = config.hiddenSize;
      maxPositions = config.maxPositions;
      embedding = config.embedding;
      norms = config.norms;
      attention = config.attention;
      mlp = config.mlp;
      experts = config.experts;
      recurrence = config.recurrence;
      head = config.head;
      parallel = config.parallel;
      residualScale = config.residualScale;
      transposed = config.transposed;
      blocks = config.blocks;
      layers = config.layers;
    }

    /** Sets the factor of the scores in all layers. */
    public void scaleScores(double factor) {
      layers = layers.stream().map(layer -> layer.withScale(factor)).toList();
    }

    private DecoderConfig config() {
      return new DecoderConfig(
          vocabSize,
          hiddenSize,
          maxPositions,
          embedding,
          norms,
          attention,
          mlp,
          experts,
          recurrence,
          head,
          parallel,
          residualScale,
          transposed,
          blocks,
          layers);
    }
  }
}
