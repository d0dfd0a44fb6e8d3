package org.dpo4j.plan;

import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.model.ModelShape;

/**
 * How much memory a training run needs at its peak, part by part. What is known of the engine is in
 * the constants here and in {@link #floatsPerToken}, and nowhere else; {@code docs/performance.md}
 * compares the sums with measured runs.
 *
 * @param shape of the model
 * @param adapter that is trained while the model is frozen; empty where the model is trained
 * @param checkpointing whether a block's activations are computed again in the backward pass
 */
public record MemoryModel(ModelShape shape, Optional<AdapterShape> adapter, boolean checkpointing) {

  /** The JVM with its heap and compilers, libtorch, and what malloc holds without need. */
  static final long LIBRARIES = 480_000_000;

  /** Index, order and reference log-probabilities of a pair; its ids are on disk. */
  static final long BYTES_PER_PAIR = 36;

  private static final int FLOAT = 4;

  /** What memory is for. */
  public enum Part {
    LIBRARIES("Java and libraries"),
    PAIRS("pairs"),
    WEIGHTS("weights"),
    GRADIENTS("gradients"),
    OPTIMIZER("optimizer state"),
    REFERENCE("the reference"),
    ACTIVATIONS("activations"),
    LOGITS("logits");

    private final String words;

    Part(String words) {
      this.words = words;
    }

    /** For people. */
    public String words() {
      return words;
    }
  }

  /**
   * Bytes by part at the peak of a step.
   *
   * @param pairs of all data sets
   * @param largest the micro-batch that needs most
   * @param referenceCopy numbers of a second model that is there while training; 0 for none
   */
  public Map<Part, Long> peak(long pairs, TokenLoad largest, long referenceCopy) {
    long trained = adapter.map(AdapterShape::parameters).orElse(shape.parameters());
    long frozen = adapter.isPresent() ? shape.parameters() : 0;
    Map<Part, Long> parts = new EnumMap<>(Part.class);
    parts.put(Part.LIBRARIES, LIBRARIES);
    parts.put(Part.PAIRS, pairs * BYTES_PER_PAIR);
    parts.put(Part.WEIGHTS, (trained + frozen) * FLOAT);
    parts.put(Part.GRADIENTS, trained * FLOAT);
    parts.put(Part.OPTIMIZER, 2 * trained * FLOAT); // two means of Adam
    parts.put(Part.REFERENCE, referenceCopy * FLOAT);
    parts.put(Part.ACTIVATIONS, activations(largest));
    parts.put(Part.LOGITS, logits(largest));
    return parts;
  }

  /** The sum of all parts. */
  public static long total(Map<Part, Long> parts) {
    return parts.values().stream().mapToLong(Long::longValue).sum();
  }

  private long activations(TokenLoad load) {
    long kept = floatsPerToken();
    // Two blocks are open on the way back, with gradients about as large as what they kept.
    long all =
        checkpointing
            ? (long) shape.layers() * shape.hiddenSize() + 4 * kept
            : (shape.layers() + 2) * kept;
    long ranks = adapter.map(AdapterShape::ranks).orElse(0L);
    return load.tokens() * (all + ranks) * FLOAT;
  }

  private long logits(TokenLoad load) {
    long bytes = load.predictions() * shape.vocabSize() * FLOAT;
    return bytes <= LogProbEngine.KEPT_BYTES ? bytes : 0;
  }

  /**
   * Numbers that a block keeps of each token for its backward pass: the states that come in and
   * those after attention; queries, keys, values and what attention gave; and the MLP's inner
   * states, of a gated one both.
   */
  long floatsPerToken() {
    return 2L * shape.hiddenSize()
        + 2L * (shape.heads() + shape.keyValueHeads()) * shape.headDim()
        + (shape.gated() ? 2L : 1L) * shape.intermediateSize();
  }
}
