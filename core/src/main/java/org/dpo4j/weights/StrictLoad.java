package org.dpo4j.weights;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.ToLongFunction;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.data.ShortList;
import org.dpo4j.model.Int8Rows;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.WeightMemory;
import org.dpo4j.model.WeightStorage;
import org.dpo4j.torch.ComputeDevice;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.Scratch;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * Supplies a model under construction with the weights of a checkpoint, each once, each matched by
 * name, shape and type; {@link #finish} reports everything that did not match at once.
 *
 * <pre>{@code
 * try (StrictLoad load = new StrictLoad(checkpoint, rules, memory, "model.layers")) {
 *   CausalLm model = plan.build(load);
 *   WeightNames names = load.finish();
 *   ...
 * }
 * }</pre>
 *
 * <p>If it is closed without a successful {@code finish}, it frees every tensor that it supplied.
 */
final class StrictLoad implements ParameterSource, AutoCloseable {

  // Limits the list of missing weights for a config with far too many.
  private static final int MAX_MISSING = 1000;
  private static final int LISTED = 5;

  private static final String OF_ONE_MODEL = "config.json and the weights must be of one model";

  /** In elements: each tensor starts on a cache line, in 16 bits too. */
  private static final long ALIGNMENT = 32;

  /**
   * All weights of a type share one block of memory, which is returned to the system as a whole
   * when they are freed or moved: separate blocks would fragment the heap.
   */
  private static final class Block {
    private final Tensor memory;
    private long used;

    /** A block that takes over the tensor. */
    Block(Tensor memory) {
      this.memory = memory;
    }

    static Block of(ElementType type, long count, ComputeDevice device) {
      try (TensorScope scope = TensorScope.open()) {
        return new Block(scope.disown(device.empty(type, count)));
      }
    }

    static Block ofInt8(long count) {
      try (TensorScope scope = TensorScope.open()) {
        return new Block(scope.disown(Int8Rows.memory(count)));
      }
    }

    Tensor take(long[] shape) {
      try (TensorScope scope = TensorScope.open()) {
        long count = LongStream.of(shape).reduce(1, Math::multiplyExact);
        // Detached: autograd would keep the whole block alive through a view, even after the weight
        // has moved.
        Tensor tensor = scope.disown(memory.narrow(0, used, count).view(shape).detach());
        used += aligned(count);
        return tensor;
      }
    }
  }

  private final Checkpoint checkpoint;
  private final WeightRules rules;
  private final WeightMemory memory;
  private final String blockPrefix;
  private final String otherwise;
  private final boolean reading;
  private final Map<String, String> inFile = new LinkedHashMap<>();
  private final Map<String, String> copies = new LinkedHashMap<>();
  private final List<Tensor> given = new ArrayList<>();
  private final List<String> missing = new ArrayList<>();
  private final List<String> wrongShape = new ArrayList<>();
  private final List<String> wrongType = new ArrayList<>();
  private final List<String> notFinite = new ArrayList<>();
  private final Map<ElementType, Block> blocks = new EnumMap<>(ElementType.class);
  private @Nullable Block int8;
  private @Nullable Block int8Scales;
  private final IdentityHashMap<Tensor, Tensor> scales =
      new IdentityHashMap<>(); // of weights in int8
  private boolean finished;

  /**
   * The load of a model.
   *
   * @param blocks path of the model's blocks, whose matrices may be stored in 8 bits
   */
  StrictLoad(Checkpoint checkpoint, WeightRules rules, WeightMemory memory, String blocks) {
    this(checkpoint, rules, memory, blocks + ".", OF_ONE_MODEL, true);
  }

  /** A load that checks names, shapes and types and gives placeholders for the weights. */
  static StrictLoad ofNames(Checkpoint checkpoint, WeightRules rules) {
    return new StrictLoad(checkpoint, rules, WeightMemory.PLAIN, "", OF_ONE_MODEL, false);
  }

  /**
   * A load in fp32 for the processor.
   *
   * @param otherwise the advice at the end of the message if weights do not match
   */
  static StrictLoad wide(Checkpoint checkpoint, WeightRules rules, String otherwise) {
    return new StrictLoad(checkpoint, rules, WeightMemory.PLAIN, "", otherwise, true);
  }

  private StrictLoad(
      Checkpoint checkpoint,
      WeightRules rules,
      WeightMemory memory,
      String blockPrefix,
      String otherwise,
      boolean reading) {
    this.checkpoint = checkpoint;
    this.rules = rules;
    this.memory = memory;
    this.blockPrefix = blockPrefix;
    this.otherwise = otherwise;
    this.reading = reading;
  }

  @Override
  public Tensor take(String name, Kind kind, long... shape) {
    String found = nameInFile(name);
    if (!checkpoint.has(found)) {
      missing.add(name);
      if (missing.size() == MAX_MISSING) {
        throw failure(List.of());
      }
      return placeholder(shape);
    }
    inFile.put(name, found);
    TensorEntry entry = checkpoint.entry(found);
    List<Long> expected = LongStream.of(shape).boxed().toList();
    if (!entry.shape().equals(expected)) {
      wrongShape.add(found + ": file " + entry.shape() + ", model " + expected);
      return placeholder(shape);
    }
    if (!entry.floating()) {
      wrongType.add(found + ": file " + entry.dtype() + ", model floating point");
      return placeholder(shape);
    }
    boolean fails = !missing.isEmpty() || !wrongShape.isEmpty() || !wrongType.isEmpty();
    if (fails || !reading) {
      return placeholder(shape);
    }
    if (kind == Kind.MATRIX && mayBeInt8(entry) && name.startsWith(blockPrefix)) {
      try (Scratch wide = Scratch.of(shape);
          TensorScope scope = TensorScope.open()) {
        read(found, wide.tensor());
        return rounded(wide.tensor());
      }
    }
    Tensor tensor = keep(type(entry), shape);
    read(found, tensor);
    return tensor;
  }

  private void read(String found, Tensor tensor) {
    checkpoint.copyTo(found, tensor);
    if (!Tensors.finite(tensor)) {
      notFinite.add("%s (%s)".formatted(found, checkpoint.file(found).path().getFileName()));
    }
  }

  private boolean mayBeInt8(TensorEntry entry) {
    return memory.storage() == WeightStorage.INT8 && entry.floating() && entry.shape().size() > 1;
  }

  /** Of a matrix, or of all matrices of a stack. */
  private static long rows(TensorEntry entry) {
    List<Long> shape = entry.shape();
    return shape.subList(0, shape.size() - 1).stream().reduce(1L, Math::multiplyExact);
  }

  private Tensor rounded(Tensor wide) {
    if (int8 == null) {
      int8 = Block.ofInt8(totalElements(this::mayBeInt8, TensorEntry::elements));
    }
    if (int8Scales == null) {
      long rows = totalElements(this::mayBeInt8, StrictLoad::rows);
      int8Scales = Block.of(ElementType.F32, rows, ComputeDevice.CPU);
    }
    Tensor tensor = int8.take(wide.shape());
    long[] shape = wide.shape();
    long width = shape[shape.length - 1];
    shape[shape.length - 1] = 1;
    Tensor scale = int8Scales.take(shape);
    given.add(tensor);
    scales.put(tensor, scale);
    Int8Rows.round(wide.view(-1, width), tensor.view(-1, width), scale.view(-1, 1));
    return tensor;
  }

  @Override
  public @Nullable Tensor scales(Tensor weight) {
    return scales.get(weight);
  }

  /** The first of the possible names that exists, or else the usual one. */
  private String nameInFile(String name) {
    return rules.namesInFiles(name).filter(checkpoint::has).findFirst().orElse(name);
  }

  private Tensor keep(ElementType type, long[] shape) {
    Tensor tensor =
        blocks
            .computeIfAbsent(
                type,
                t ->
                    Block.of(
                        t,
                        totalElements(
                            entry -> entry.floating() && type(entry) == t, TensorEntry::elements),
                        memory.device()))
            .take(shape);
    given.add(tensor);
    return tensor;
  }

  /** The type in memory. Vectors are small, and are added to activations as they are. */
  private ElementType type(TensorEntry entry) {
    ElementType stored = entry.elementType().orElseThrow();
    boolean narrow = stored == ElementType.BF16 || stored == ElementType.F16;
    return memory.storage() != WeightStorage.FP32 && narrow && entry.shape().size() > 1
        ? stored
        : ElementType.F32;
  }

  /**
   * The number of elements of some tensors of the checkpoint. Memory that is never written costs
   * nothing.
   */
  private long totalElements(Predicate<TensorEntry> which, ToLongFunction<TensorEntry> count) {
    return checkpoint.names().stream()
        .map(checkpoint::entry)
        .filter(which)
        .mapToLong(entry -> aligned(count.applyAsLong(entry)))
        .sum();
  }

  private static long aligned(long count) {
    return (count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /** A tensor of the right shape, so that construction continues and all problems are found. */
  private Tensor placeholder(long[] shape) {
    Tensor tensor = Tensors.placeholder(shape);
    given.add(tensor);
    return tensor;
  }

  /**
   * Ends the load.
   *
   * @return the names of the weights in the file
   * @throws DpoException listing every weight that is missing, unexpected, of another shape, of
   *     another type or not finite
   */
  WeightNames finish() {
    List<String> unexpected = new ArrayList<>();
    List<String> untied = new ArrayList<>();
    Set<String> used = new HashSet<>(inFile.values());
    for (String name : checkpoint.names()) {
      if (used.contains(name) || rules.isBuffer(name)) {
        continue;
      }
      WeightRules.TiedHead tied = rules.tied().orElse(null);
      if (tied == null || rules.namesInFiles(tied.head()).noneMatch(name::equals)) {
        unexpected.add(name);
      } else if (inFile.containsKey(tied.embedding())) {
        String embedding = inFile.get(tied.embedding());
        copies.put(name, tied.embedding());
        if (!checkpoint.file(name).sameBytes(name, checkpoint.file(embedding), embedding)) {
          untied.add(name + " differs from " + embedding);
        }
      }
    }
    if (!missing.isEmpty()
        || !wrongShape.isEmpty()
        || !wrongType.isEmpty()
        || !unexpected.isEmpty()) {
      throw failure(unexpected);
    }
    if (!notFinite.isEmpty()) {
      throw new DpoException(
          "["
              + checkpoint.folder()
              + "] weights: all numbers must be finite but some are NaN or infinite in "
              + list(notFinite)
              + "; copy or download the model again, or train it again with a lower rate");
    }
    if (!untied.isEmpty()) {
      throw new DpoException(
          "["
              + checkpoint.folder()
              + "] weights: "
              + list(untied)
              + ", but config.json says that they are one (tie_word_embeddings, by its value or its"
              + " default); set it to false if the head is meant to have weights of its own");
    }
    finished = true;
    return new WeightNames(inFile, copies);
  }

  private DpoException failure(List<String> unexpected) {
    List<String> parts = new ArrayList<>();
    if (!missing.isEmpty()) {
      parts.add((missing.size() < MAX_MISSING ? "" : "at least ") + count(missing, "missing"));
    }
    if (!unexpected.isEmpty()) {
      parts.add(count(unexpected, "unexpected"));
    }
    if (!wrongShape.isEmpty()) {
      parts.add(count(wrongShape, "wrong shape"));
    }
    if (!wrongType.isEmpty()) {
      parts.add(count(wrongType, "wrong type"));
    }
    String hint =
        missing.equals(List.of("lm_head.weight"))
            ? "; if the head is the embedding table, set tie_word_embeddings to true in config.json"
            : "; " + otherwise;
    return new DpoException(
        "[" + checkpoint.folder() + "] weights: " + String.join(", ", parts) + hint);
  }

  private static String count(List<String> names, String what) {
    return names.size() + " " + what + " (" + list(names) + ")";
  }

  /** The first few, and the number of the others. */
  static String list(List<String> names) {
    return ShortList.of(names, LISTED);
  }

  @Override
  public void close() {
    if (!finished) {
      given.forEach(Tensors::free);
      scales.values().forEach(Tensors::free);
    }
    given.clear();
    blocks.values().forEach(block -> Tensors.free(block.memory)); // the weights keep it alive
    blocks.clear();
    if (int8 != null) {
      Tensors.free(int8.memory);
      int8 = null;
    }
    if (int8Scales != null) {
      Tensors.free(int8Scales.memory);
      int8Scales = null;
    }
  }
}
