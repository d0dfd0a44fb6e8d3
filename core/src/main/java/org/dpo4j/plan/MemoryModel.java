package org.dpo4j.plan;

import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.IntStream;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.model.ModelShape;
import org.dpo4j.model.WeightStorage;
import org.dpo4j.torch.ElementType;

/**
 * The memory of a training run at its peak, by part. The constants and {@link #savedActivations}
 * are all that is assumed about the engine; {@code MemoryModelTest} compares them with what passes
 * save, and {@code docs/performance.md} compares the sums with measured runs.
 *
 * @param shape of the model
 * @param adapter that is trained while the model is frozen; empty if the model is trained
 * @param frozenBytes of all weights of a frozen model, from {@link #frozenBytes}
 * @param bf16Bytes of the copies of weights, from {@link #bf16Bytes}; 0 without products in
 *     bfloat16
 * @param checkpointing whether the backward pass recomputes the activations of each block
 * @param threads that compute a pass
 * @param moments numbers in fp32 that the optimizer keeps of a weight; 0 for a small part of one
 */
public record MemoryModel(
    ModelShape shape,
    Optional<AdapterShape> adapter,
    long frozenBytes,
    long bf16Bytes,
    boolean checkpointing,
    int threads,
    int moments) {

  /** The JVM with its heap and compilers, libtorch, and free memory that malloc retains. */
  static final long LIBRARIES = 480_000_000;

  /** Index, order and reference log-probabilities of a pair; its token ids are on disk. */
  static final long BYTES_PER_PAIR = 36;

  private static final int FLOAT = 4;

  /** The parts of the memory. */
  public enum Part {
    LIBRARIES("Java and libraries"),
    PAIRS("data"),
    WEIGHTS("weights"),
    WIDENED("widened weights"),
    BF16("weights in bfloat16"),
    GRADIENTS("gradients"),
    OPTIMIZER("optimizer state"),
    REFERENCE("the reference"),
    ACTIVATIONS("activations"),
    LOGITS("logits");

    private final String words;

    Part(String words) {
      this.words = words;
    }

    /** The name for people. */
    public String words() {
      return words;
    }
  }

  /**
   * Bytes of a model's weights in memory.
   *
   * @param stored bytes of a weight in the checkpoint
   */
  public static long frozenBytes(ModelShape shape, WeightStorage storage, int stored) {
    long all = shape.parameters();
    long inBlocks = shape.blockWeights();
    int narrow = Math.min(stored, FLOAT);
    return switch (storage) {
      case FP32 -> all * FLOAT;
      case AS_STORED -> all * narrow;
      case INT8 -> inBlocks + (all - inBlocks) * narrow;
    };
  }

  /**
   * Bytes of the copies of a model's weights that products in bfloat16 use: of all that are not in
   * bfloat16 or in 8 bits themselves.
   *
   * @param storage of the weights; fp32 for those that are trained
   * @param dtype of the checkpoint
   */
  public static long bf16Bytes(ModelShape shape, WeightStorage storage, ElementType dtype) {
    boolean stored = dtype == ElementType.BF16;
    long all = shape.parameters();
    return ElementType.BF16.bytes()
        * switch (storage) {
          case FP32 -> all;
          case AS_STORED -> stored ? 0 : all;
          case INT8 -> stored ? 0 : all - shape.blockWeights();
        };
  }

  /**
   * Bytes by part at the peak of a step.
   *
   * @param pairs number of pairs in all data sets
   * @param largest load of the micro-batch that needs most
   * @param referenceCopy number of weights of a second model that is in memory during training; 0
   *     for none
   */
  public Map<Part, Long> peak(long pairs, TokenLoad largest, long referenceCopy) {
    long trained = adapter.map(AdapterShape::parameters).orElse(shape.parameters());
    long frozen = adapter.isPresent() ? frozenBytes : 0;
    Map<Part, Long> parts = new EnumMap<>(Part.class);
    parts.put(Part.LIBRARIES, LIBRARIES);
    parts.put(Part.PAIRS, pairs * BYTES_PER_PAIR);
    parts.put(Part.WEIGHTS, trained * FLOAT + frozen);
    parts.put(Part.WIDENED, widened());
    parts.put(Part.BF16, bf16Bytes);
    parts.put(Part.GRADIENTS, trained * FLOAT);
    parts.put(Part.OPTIMIZER, optimizer(trained));
    parts.put(Part.REFERENCE, referenceCopy * FLOAT);
    parts.put(Part.ACTIVATIONS, activations(largest));
    parts.put(Part.LOGITS, savedLogits(largest));
    return parts;
  }

  /** Without moments of each weight, what an update of the largest parameter needs. */
  private long optimizer(long trained) {
    if (moments > 0 || adapter.isPresent()) {
      return moments * trained * FLOAT;
    }
    return (long) shape.vocabSize() * shape.hiddenSize() * FLOAT;
  }

  /** Each thread widens one matrix at a time. */
  private long widened() {
    boolean narrow = adapter.isPresent() && frozenBytes < shape.parameters() * FLOAT;
    return narrow ? threads * shape.largestMatrix() * FLOAT : 0;
  }

  /** The sum of all parts. */
  public static long total(Map<Part, Long> parts) {
    return parts.values().stream().mapToLong(Long::longValue).sum();
  }

  private long activations(TokenLoad load) {
    // The backward pass has two blocks open, whose gradients are about as large as what they saved;
    // with checkpointing it recomputes the two as well.
    long largest =
        IntStream.range(0, shape.layers()).mapToLong(this::completionFloats).max().orElse(0);
    long open = (checkpointing ? 4 : 2) * (projectionFloats() + largest);
    return savedActivations(load) + load.tokens() * (open + expertTemporaries()) * FLOAT;
  }

  /** Inputs and outputs of each use of an expert, and their gradients, in one block at a time. */
  private long expertTemporaries() {
    ModelShape.Experts experts = shape.experts();
    return experts == null ? 0 : 4L * experts.chosen() * shape.hiddenSize();
  }

  /**
   * Bytes that the blocks hold from the forward to the backward pass, small statistics excluded.
   */
  public long savedActivations(TokenLoad load) {
    // The states before the first block, and in each block but the last the rows of all tokens. The
    // last block computes its output for predicting tokens alone, as a rule.
    long all = load.tokens() * shape.hiddenSize();
    int last = shape.layers() - 1;
    // The loss of the routers needs the last block of all tokens, and the head a copy of some.
    boolean whole = shape.hasRouterLoss();
    long ofLast = whole ? load.tokens() : load.predicting();
    if (whole) {
      all += load.predicting() * shape.hiddenSize();
    }
    if (checkpointing) {
      return (all + (last * load.tokens() + ofLast) * shape.hiddenSize()) * FLOAT;
    }
    all += (last + 1) * load.tokens() * projectionFloats();
    for (int layer = 0; layer < last; layer++) {
      all += load.tokens() * completionFloats(layer);
    }
    all += ofLast * (completionFloats(last) + (parallel() && !whole ? shape.hiddenSize() : 0));
    all += load.tokens() * adapter.map(a -> a.ranks() + a.magnitudes()).orElse(0L);
    return all * FLOAT;
  }

  /**
   * Bytes that the head holds from the forward to the backward pass: the exponentials of all
   * logits, or none above a limit; a gradient of each prediction's state if the head is frozen. A
   * trained head with a soft cap keeps none, which is not counted.
   */
  public long savedLogits(TokenLoad load) {
    if (adapter.isPresent() && adapter.get().frozenHead()) {
      return load.predictions() * shape.hiddenSize() * FLOAT;
    }
    long bytes = load.predictions() * shape.vocabSize() * FLOAT;
    return bytes <= LogProbEngine.KEPT_BYTES ? bytes : 0;
  }

  /**
   * Elements that a block saves per token before attention: queries, keys and values, and again
   * where a norm or a limit needs its input.
   */
  private long projectionFloats() {
    ModelShape.Switches switches = shape.switches();
    long queriesAndKeys = (long) (shape.heads() + shape.keyValueHeads()) * shape.headDim();
    long values = (long) shape.keyValueHeads() * shape.headDim();
    return (1 + (switches.headNorms() ? 1 : 0) + (switches.clipped() ? 1 : 0)) * queriesAndKeys
        + (1 + (switches.clipped() ? 1 : 0)) * values;
  }

  /**
   * Elements that a block saves per token from attention on: the output of attention, the states
   * after it and after the MLP, the inputs of norms of what is added to them, and the MLP's inner
   * states, two in a gated one. An MLP beside attention reads the states before the block, which
   * are saved already but for the selected rows of the last block.
   */
  private long completionFloats(int layer) {
    ModelShape.Switches switches = shape.switches();
    long states =
        (parallel() ? 1L : 2L)
            + (switches.normAfterAttention() ? 1 : 0)
            + (switches.normAfterMlp() ? 1 : 0);
    return states * shape.hiddenSize()
        + (long) shape.heads() * shape.headDim()
        + (shape.sparse().contains(layer)
            ? expertFloats(Objects.requireNonNull(shape.experts()))
            : (switches.gated() ? 2L : 1L) * shape.intermediateSize());
  }

  /**
   * Elements that experts save per token: gate and input of each use, its weight and three indices
   * in 64 bits; the router's logits; gate and input of a shared expert and its share.
   */
  private static long expertFloats(ModelShape.Experts experts) {
    return experts.chosen() * (2L * experts.width() + 7)
        + experts.count()
        + (experts.shared() > 0 ? 2L * experts.shared() + 1 : 0);
  }

  private boolean parallel() {
    return shape.switches().parallel();
  }
}
