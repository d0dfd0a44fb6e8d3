package org.dpo4j.weights;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.model.AdapterSlot;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.Parameters;
import org.dpo4j.model.decoder.DecoderConfig;
import org.dpo4j.model.lora.LoraModel;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * A model whose weights are read from its checkpoint row by row, so that its size does not matter;
 * with an adapter the rows are those of the merged model.
 */
public final class StreamedModel implements AutoCloseable {

  private static final String WEIGHT = ".weight";

  private final DecoderConfig decoder;
  private final LoadedModel skeleton; // placeholders for weights
  private final Map<String, Parameters.Parameter> parameters = new HashMap<>();
  private final Map<String, AdapterSlot> slots = new HashMap<>(); // by the names of their matrices
  private @Nullable PeftAdapter adapter;
  private final Set<String> adapted = new HashSet<>(); // names of matrices
  private final Set<String> experts = new HashSet<>(); // names of weights of adapted experts
  private final Set<String> trained = new HashSet<>(); // names of weights that the adapter replaces

  private StreamedModel(DecoderConfig decoder, LoadedModel skeleton) {
    this.decoder = decoder;
    this.skeleton = skeleton;
    Parameters all = skeleton.model().parameters();
    all.all().forEach(p -> parameters.put(p.name(), p));
    all.slots().forEach(slot -> slots.put(slot.path() + WEIGHT, slot));
    all.tableSlots().forEach(slot -> slots.put(slot.path() + WEIGHT, slot));
    all.routerSlots().forEach(router -> slots.put(nameOf(router.weight()), router));
  }

  private String nameOf(Tensor weight) {
    return parameters.values().stream()
        .filter(parameter -> parameter.tensor().is_same(weight))
        .findFirst()
        .orElseThrow()
        .name();
  }

  /**
   * Opens a folder. Names, shapes and types of all weights are checked; no weight is read.
   *
   * @param option that names the folder, for messages
   * @throws UsageException if there is no such folder
   * @throws DpoException if config and weights do not describe a supported model
   */
  public static StreamedModel open(String option, Path folder) {
    ModelFolder modelFolder = ModelFolder.of(option, folder);
    HuggingFaceConfig config = modelFolder.config();
    ModelPlan plan = ModelReader.plan(modelFolder, config);
    Checkpoint checkpoint = Checkpoint.open(folder).of(plan.rules());
    plan = plan.of(checkpoint);
    try (StrictLoad load = StrictLoad.ofNames(checkpoint, plan.rules())) {
      CausalLm model = plan.build(load);
      return new StreamedModel(
          plan.config(), new LoadedModel(modelFolder, config, checkpoint, load.finish(), model));
    }
  }

  /**
   * Merges an adapter into the rows from now on.
   *
   * @param option that names the folder, for messages
   * @throws UsageException if there is no such folder
   * @throws DpoException if it is not an adapter of this model
   */
  public PeftAdapter adapt(String option, Path folder) {
    if (adapter != null) {
      throw new IllegalStateException("the model has an adapter already");
    }
    PeftAdapter opened = PeftAdapter.open(option, folder, skeleton);
    adapter = opened;
    opened.model().plan().layers().forEach(slot -> adapted.add(slot.path() + WEIGHT));
    opened.model().plan().routers().forEach(router -> adapted.add(nameOf(router.weight())));
    opened.model().plan().experts().forEach(on -> experts.addAll(on.slot().weights()));
    opened.model().plan().saved().forEach(parameter -> trained.add(parameter.name()));
    return opened;
  }

  /** The model without its weights, for checks of an adapter. */
  public LoadedModel skeleton() {
    return skeleton;
  }

  public DecoderConfig decoder() {
    return decoder;
  }

  public HuggingFaceConfig config() {
    return skeleton.config();
  }

  public Checkpoint checkpoint() {
    return skeleton.checkpoint();
  }

  /** The adapter; empty for none. */
  public Optional<PeftAdapter> adapter() {
    return Optional.ofNullable(adapter);
  }

  /** The shape of a weight. */
  public long[] shape(String parameter) {
    return parameter(parameter).tensor().shape();
  }

  /** Whether a weight is a matrix of a linear layer that is stored as (in, out). */
  public boolean transposed(String parameter) {
    AdapterSlot slot = slots.get(parameter);
    return slot != null && slot.transposed() && !slot.isTable();
  }

  /**
   * Rows of a weight, in fp32 and in the caller's scope.
   *
   * @param parameter its name; a matrix that is not {@link #transposed}, or any other weight with
   *     its first dimension as rows
   * @return shape (to - from, ...), as {@link #shape}
   */
  public Tensor rows(String parameter, long from, long to) {
    if (trained.contains(parameter)) {
      return Tensors.rows(parameter(parameter).tensor(), 0, from, to)
          .to(ElementType.F32.scalarType());
    }
    Tensor own = read(parameter, from, to);
    if (experts.contains(parameter)) {
      return model().effectiveRowsOfExperts(parameter, own, from, to);
    }
    return adapted.contains(parameter)
        ? model().effectiveRows(slot(parameter).path(), own, from, to)
        : own;
  }

  /** A {@link #transposed} matrix in the shape (out, in), in fp32 and in the caller's scope. */
  public Tensor transposedValues(String parameter) {
    long rows = shape(parameter)[0];
    if (trained.contains(parameter)) {
      return rows(parameter, 0, rows).t();
    }
    Tensor own = read(parameter, 0, rows).t();
    return adapted.contains(parameter)
        ? model().effectiveRows(slot(parameter).path(), own, 0, own.size(0))
        : own;
  }

  private Tensor read(String parameter, long from, long to) {
    long[] shape = shape(parameter).clone();
    long columns = 1;
    for (int i = 1; i < shape.length; i++) {
      columns *= shape[i];
    }
    shape[0] = to - from;
    String name = skeleton.names().nameInFile(parameter);
    Tensor rows = Tensors.empty(ElementType.F32, shape);
    checkpoint().file(name).copyPart(name, from * columns, rows);
    return rows;
  }

  private LoraModel model() {
    return Objects.requireNonNull(adapter).model();
  }

  private AdapterSlot slot(String parameter) {
    return Objects.requireNonNull(slots.get(parameter), parameter);
  }

  private Parameters.Parameter parameter(String name) {
    return Objects.requireNonNull(parameters.get(name), name);
  }

  @Override
  public void close() {
    try (TensorScope scope = TensorScope.open()) {
      if (adapter != null) {
        adapter.close();
      }
      skeleton.close();
    }
  }
}
