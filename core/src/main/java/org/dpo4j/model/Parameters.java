package org.dpo4j.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.torch.WorkerPool;
import org.jspecify.annotations.Nullable;

/** The weights of a model, by name, in the order in which the model was built. */
public final class Parameters implements AutoCloseable {

  /**
   * A weight.
   *
   * @param name as the model's family names it in a checkpoint
   * @param kind determines initial values and weight decay
   * @param tensor the values
   */
  public record Parameter(String name, ParameterSource.Kind kind, Tensor tensor) {}

  private final Map<String, Parameter> byName = new LinkedHashMap<>();
  private final List<AdapterSlot> slots = new ArrayList<>();
  private final List<AdapterSlot> tableSlots = new ArrayList<>();
  private final List<AdapterSlot> routerSlots = new ArrayList<>();
  private final List<ExpertSlot> expertSlots = new ArrayList<>();
  private final IdentityHashMap<Tensor, Matrix> matrices = new IdentityHashMap<>();
  private final List<Tensor> scales = new ArrayList<>(); // of matrices in 8 bits
  private @Nullable Tensor like; // owned; null until it is needed

  /** Takes a weight from the source and adds it. */
  public Tensor take(
      ParameterSource source, String name, ParameterSource.Kind kind, long... shape) {
    Tensor tensor = source.take(name, kind, shape);
    add(new Parameter(name, kind, tensor));
    Tensor scale = source.scales(tensor);
    if (scale != null) {
      scales.add(scale);
      matrices.put(tensor, new Matrix(tensor, scale));
    }
    return tensor;
  }

  /** The matrix of a linear layer. There is one for each tensor, which a tied head shares. */
  public Matrix matrix(Tensor weight) {
    return matrices.computeIfAbsent(weight, Matrix::new);
  }

  /** Multiplies by all matrices in bfloat16 from now on, with their weights as they are now. */
  public void enableBf16() {
    enableBf16(List.copyOf(matrices.values()));
  }

  /** Updates the copies in bfloat16 of the matrices that have one, among some weights of these. */
  public void refreshBf16(List<Parameter> changed) {
    enableBf16(
        changed.stream()
            .map(parameter -> matrices.get(parameter.tensor()))
            .filter(matrix -> matrix != null && matrix.usesBf16())
            .toList());
  }

  private static void enableBf16(List<Matrix> matrices) {
    if (matrices.isEmpty()) {
      return;
    }
    WorkerPool workers = WorkerPool.get();
    workers.runOnEach(
        thread -> {
          for (int i = thread; i < matrices.size(); i += workers.size()) {
            matrices.get(i).enableBf16();
          }
        });
  }

  /** Adds a weight, which is freed with the others. */
  public void add(Parameter parameter) {
    if (byName.put(parameter.name(), parameter) != null) {
      throw new IllegalArgumentException("the model has two weights named " + parameter.name());
    }
  }

  /**
   * Makes a slot for an adapter at a linear layer.
   *
   * @param path of the layer: the name of its matrix without {@code .weight}
   * @param weight the layer's matrix
   * @param transposed whether the matrix is stored as (in, out)
   */
  public AdapterSlot slot(String path, Tensor weight, boolean transposed) {
    AdapterSlot slot = new AdapterSlot(path, weight, transposed, false);
    slots.add(slot);
    return slot;
  }

  /**
   * Makes a slot for an adapter at an embedding table.
   *
   * @param path of the table: its name without {@code .weight}
   * @param weight shape (entries, hidden)
   */
  public AdapterSlot tableSlot(String path, Tensor weight) {
    AdapterSlot slot = new AdapterSlot(path, weight, true, true);
    tableSlots.add(slot);
    return slot;
  }

  /**
   * Makes a slot for an adapter at the router of a block's experts.
   *
   * @param path of the router in transformers; its matrix is {@code weight} there
   * @param weight shape (experts, hidden)
   */
  public AdapterSlot routerSlot(String path, Tensor weight) {
    AdapterSlot slot = new AdapterSlot(path, weight, false, false);
    routerSlots.add(slot);
    return slot;
  }

  /** Adds a slot for an adapter at the experts of a block. */
  public ExpertSlot expertSlot(ExpertSlot slot) {
    expertSlots.add(slot);
    return slot;
  }

  /** The linear layers that an adapter can add to, in the order of the model; a tied head too. */
  public List<AdapterSlot> slots() {
    return List.copyOf(slots);
  }

  /** The embedding tables that an adapter can add to. */
  public List<AdapterSlot> tableSlots() {
    return List.copyOf(tableSlots);
  }

  /** The routers that an adapter can add to, by PEFT's {@code target_parameters}. */
  public List<AdapterSlot> routerSlots() {
    return List.copyOf(routerSlots);
  }

  /**
   * The matrices of experts that an adapter can add to; of a block those first that transformers
   * registers first.
   */
  public List<ExpertSlot> expertSlots() {
    return List.copyOf(expertSlots);
  }

  public List<Parameter> all() {
    return new ArrayList<>(byName.values());
  }

  /**
   * A tensor of the type and on the device that the model computes in, which is fp32 where weights
   * are stored in 16 bits. It has no elements.
   */
  public synchronized Tensor like() {
    if (like == null) {
      try (TensorScope scope = TensorScope.open();
          NoGrad noGrad = NoGrad.open()) {
        Tensor first = byName.values().iterator().next().tensor().detach();
        like = scope.disown(Tensors.emptyLike(Matrix.widened(Tensors.emptyLike(first, 0)), 0));
      }
    }
    return like;
  }

  /** Whether both have the same names with the same shapes in the same order. */
  public boolean sameShapes(Parameters other) {
    return shapes().equals(other.shapes());
  }

  private List<String> shapes() {
    return byName.values().stream()
        .map(p -> p.name() + Arrays.toString(p.tensor().shape()))
        .toList();
  }

  /** Total number of elements. */
  public long count() {
    return byName.values().stream().mapToLong(p -> p.tensor().numel()).sum();
  }

  /** Sets whether every weight requires a gradient; a new model's weights do not. */
  public void requireGradients(boolean required) {
    byName.values().forEach(p -> p.tensor().set_requires_grad(required));
  }

  /** A source of copies of these weights, to build a second model that can be trained. */
  public ParameterSource copies() {
    return (name, kind, shape) -> {
      Parameter original = byName.get(name);
      if (original == null) {
        throw new IllegalArgumentException("there is no weight named " + name + " to copy");
      }
      try (TensorScope scope = TensorScope.open();
          NoGrad noGrad = NoGrad.open()) {
        Matrix matrix = matrices.get(original.tensor());
        return scope.disown(matrix == null ? new Matrix(original.tensor()).copy() : matrix.copy());
      }
    };
  }

  @Override
  public void close() {
    matrices.values().forEach(Matrix::disableBf16);
    matrices.clear();
    scales.forEach(Tensors::free);
    scales.clear();
    if (like != null) {
      Tensors.free(like);
      like = null;
    }
    byName.values().forEach(p -> Tensors.free(p.tensor()));
    byName.clear();
  }
}
