package org.dpo4j.model.decoder;

import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Attention without what differs between layers. Names are those in a block.
 *
 * @param heads number of query heads
 * @param keyValueHeads number of key heads, and of value heads; divides heads
 * @param headDim width of a head; heads x headDim need not be the hidden size
 * @param layout of the matrices of queries, keys and values
 * @param inputs their names: three if separate, else one
 * @param inputBias whether they have biases
 * @param output name of the output projection
 * @param outputBias whether it has a bias
 * @param norms of queries and keys; null for none
 * @param clip queries, keys and values are limited to [-clip, clip]; 0 for no limit
 * @param cap of the scores, as in {@link org.dpo4j.model.AttentionLayer}; 0 for none
 * @param sinks name of the sinks; null for none
 * @param gated whether the output is multiplied by the sigmoid of gates; the matrix of the queries
 *     has then for each head the rows of the query and of the gate
 */
public record AttentionConfig(
    int heads,
    int keyValueHeads,
    int headDim,
    Layout layout,
    List<String> inputs,
    boolean inputBias,
    String output,
    boolean outputBias,
    @Nullable HeadNorms norms,
    double clip,
    double cap,
    @Nullable String sinks,
    boolean gated) {

  /** How the matrices of queries, keys and values are stored. */
  public enum Layout {
    /** Three matrices. */
    SEPARATE,
    /** One matrix: the rows of all queries, then of all keys, then of all values. */
    JOINED,
    /** One matrix: for each key head the rows of its query heads, of the key and of the value. */
    BY_HEAD,
    /** One matrix: for each quarter of the heads the rows of queries, of values and of keys. */
    BY_QUARTER
  }

  /**
   * Norms of queries and keys.
   *
   * @param query name of the norm of queries
   * @param key name of the norm of keys
   * @param scope what is normalized
   */
  public record HeadNorms(String query, String key, Scope scope) {}

  /** What a norm of queries or keys sees. */
  public enum Scope {
    /** Each head before rotation. */
    HEAD,
    /** Each head after rotation. */
    ROTATED_HEAD,
    /** All heads together, before rotation. */
    ALL_HEADS
  }

  public AttentionConfig {
    inputs = List.copyOf(inputs);
    if (heads % keyValueHeads != 0) {
      throw new IllegalArgumentException(
          "num_attention_heads must be a multiple of num_key_value_heads ("
              + keyValueHeads
              + ") but was "
              + heads);
    }
    if (inputs.size() != (layout == Layout.SEPARATE ? 3 : 1)) {
      throw new IllegalArgumentException("layout " + layout + " does not have " + inputs);
    }
    if (layout == Layout.BY_QUARTER && heads % 4 != 0) {
      throw new IllegalArgumentException(
          "num_attention_heads must be a multiple of 4 but was " + heads);
    }
    if (layout == Layout.BY_QUARTER && keyValueHeads != heads) {
      throw new IllegalArgumentException(
          "layout %s must have as many key heads as heads but has %d and %d"
              .formatted(layout, keyValueHeads, heads));
    }
    if (gated && layout != Layout.SEPARATE) {
      throw new IllegalArgumentException("layout " + layout + " has no gates");
    }
  }

  /** Number of groups of rows in the one matrix, each with its part of queries, keys and values. */
  int groups() {
    return switch (layout) {
      case SEPARATE, JOINED -> 1;
      case BY_HEAD -> keyValueHeads;
      case BY_QUARTER -> 4;
    };
  }

  /** Whether the values are before the keys. */
  boolean valuesFirst() {
    return layout == Layout.BY_QUARTER;
  }

  /** The same with another number of key heads, and of value heads. */
  public AttentionConfig withKeyValueHeads(int number) {
    return with(draft -> draft.keyValueHeads = number);
  }

  /** The same with other matrices of queries, keys and values. */
  public AttentionConfig withInputs(Layout other, boolean bias, String... names) {
    return with(
        draft -> {
          draft.layout = other;
          draft.inputs = List.of(names);
          draft.inputBias = bias;
        });
  }

  /** The same with other biases. */
  public AttentionConfig withBiases(boolean ofInputs, boolean ofOutput) {
    return with(
        draft -> {
          draft.inputBias = ofInputs;
          draft.outputBias = ofOutput;
        });
  }

  /** The same with another output projection. */
  public AttentionConfig withOutput(String name, boolean bias) {
    return with(
        draft -> {
          draft.output = name;
          draft.outputBias = bias;
        });
  }

  /** The same with norms of queries and keys. */
  public AttentionConfig withNorms(String query, String key, Scope scope) {
    return with(draft -> draft.norms = new HeadNorms(query, key, scope));
  }

  /** The same with queries, keys and values limited to a range; 0 for no limit. */
  public AttentionConfig withClip(double limit) {
    return with(draft -> draft.clip = limit);
  }

  /** The same with scores limited smoothly; 0 for no limit. */
  public AttentionConfig withCap(double limit) {
    return with(draft -> draft.cap = limit);
  }

  /** The same with sinks. */
  public AttentionConfig withSinks(String name) {
    return with(draft -> draft.sinks = name);
  }

  /** The same with gates of the output. */
  public AttentionConfig withGates() {
    return with(draft -> draft.gated = true);
  }

  private AttentionConfig with(Consumer<Draft> changes) {
    Draft draft = new Draft(this);
    changes.accept(draft);
    return draft.config();
  }

  /** What the methods above change. */
  private static final class Draft {
    private final AttentionConfig config;
    private int keyValueHeads;
    private Layout layout;
    private List<String> inputs;
    private boolean inputBias;
    private String output;
    private boolean outputBias;
    private @Nullable HeadNorms norms;
    private double clip;
    private double cap;
    private @Nullable String sinks;
    private boolean gated;

    Draft(AttentionConfig config) {
      this.config = config;
      keyValueHeads = config.keyValueHeads;
      layout = config.layout;
      inputs = config.inputs;
      inputBias = config.inputBias;
      output = config.output;
      outputBias = config.outputBias;
      norms = config.norms;
      clip = config.clip;
      cap = config.cap;
      sinks = config.sinks;
      gated = config.gated;
    }

    AttentionConfig config() {
      return new AttentionConfig(
          config.heads,
          keyValueHeads,
          config.headDim,
          layout,
          inputs,
          inputBias,
          output,
          outputBias,
          norms,
          clip,
          cap,
          sinks,
          gated);
    }
  }
}
