package org.dpo4j.model.lora;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.AdapterSlot;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.DecoderBlock;
import org.dpo4j.model.ExpertSlot;
import org.dpo4j.model.Linear;
import org.dpo4j.model.Magnitudes;
import org.dpo4j.model.Matrix;
import org.dpo4j.model.Node;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.Parameters;
import org.dpo4j.model.Product;
import org.dpo4j.model.RandomParameters;
import org.dpo4j.model.Rotations;
import org.dpo4j.model.RouterLoss;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.Pools;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * A model with a LoRA adapter: each chosen layer computes y = W x + b + s B A dropout(x), where
 * only A and B are trained; some modules of the base may be trained in full as well. Hu et al.
 * 2021, arXiv 2106.09685, equation 3. With DoRA the rows of V = W + s B A have trained lengths m: y
 * = m / |V| V x + b. Liu et al. 2024, arXiv 2402.09353, equation 5.
 *
 * <p>Experts have factors of their own each, {@link ExpertFactors}.
 *
 * <p>The base is shared, not copied: while this model is open, the base computes with the adapter.
 * Use {@link #base()} to compute without it.
 */
public final class LoraModel implements CausalLm {

  /**
   * The factors of one layer.
   *
   * @param index of the layer in the adapter
   * @param a shape (rank, in)
   * @param b shape (out, rank)
   * @param scale s
   * @param magnitudes m and |V|; null without DoRA
   */
  private record Factors(
      AdapterSlot layer,
      int index,
      Tensor a,
      Tensor b,
      double scale,
      @Nullable Magnitudes magnitudes) {

    /** The same layer with other values, by name, and with memory of the scope for their norms. */
    Factors with(Map<String, Tensor> values) {
      String path = layer.path();
      return new Factors(
          layer,
          index,
          value(values, path + endOfA(layer)),
          value(values, path + endOfB(layer)),
          scale,
          magnitudes == null ? null : withNorms(value(values, path + MAGNITUDES)));
    }

    /** Moves the norms out of the scope. */
    void disownNorms(TensorScope scope) {
      if (magnitudes != null) {
        scope.disown(magnitudes.norms());
      }
    }

    void freeNorms() {
      if (magnitudes != null) {
        Tensors.free(magnitudes.norms());
      }
    }

    /** Some rows of s B A. */
    Tensor product(long from, long to) {
      return Tensors.rows(b, 0, from, to).matmul(a).mul_(Tensors.scalar(scale));
    }

    LowRank lowRank() {
      return new LowRank(a, b, scale);
    }

    /** Some columns of s B A, as rows of a table, shape (to - from, out). */
    Tensor transposed(long from, long to) {
      return Tensors.rows(a, 1, from, to).t().matmul(b.t()).mul_(Tensors.scalar(scale));
    }

    /**
     * Some rows of the matrix that the layer computes with.
     *
     * @param own the same rows of W, shape (to - from, in)
     */
    Tensor rows(Tensor own, long from, long to) {
      Tensor sum = product(from, to).add_(own);
      return magnitudes == null
          ? sum
          : sum.mul_(Tensors.rows(magnitudes.values(), 0, from, to).div(norms(sum)).unsqueeze(1));
    }
  }

  private static Magnitudes withNorms(Tensor values) {
    return new Magnitudes(values, Tensors.zerosLike(values, values.shape()));
  }

  /** The Euclidean norms of rows, shape (rows). */
  private static Tensor norms(Tensor rows) {
    return rows.norm(Tensors.optionalScalar(2), 1);
  }

  /** What an adapter does at one of its layers. */
  private final class Attached implements AdapterSlot.Adapter {
    private final int index;

    Attached(int index) {
      this.index = index;
    }

    @Override
    public Node seen(Node input) {
      return on.isEmpty() || !dropoutEnabled ? input : input.dropout(index, config.dropout());
    }

    @Override
    public @Nullable Product product(Node seen) {
      if (on.isEmpty()) {
        return null;
      }
      Factors at = on.get(index);
      Node low = new Linear(at.a(), null).apply(seen).times(at.scale()); // (rows, rank)
      return new Product(low, new Matrix(at.b()));
    }

    @Override
    public @Nullable Magnitudes magnitudes() {
      return on.isEmpty() ? null : on.get(index).magnitudes();
    }

    @Override
    public @Nullable Tensor entries(Tensor chosen, int padding) {
      return on.isEmpty() ? null : on.get(index).lowRank().rows(chosen, padding);
    }

    @Override
    public void addGradient(Tensor chosen, int padding, Tensor gradient) {
      if (!on.isEmpty()) {
        on.get(index).lowRank().addGradient(chosen, padding, gradient);
      }
    }
  }

  /**
   * The adapter of a table at the head that is the same table, as PEFT ties it: y = W x + b + s A^T
   * B^T dropout(x).
   */
  private final class AttachedToHead implements AdapterSlot.Adapter {
    private final int number; // among all layers, for dropout
    private final int table; // index of the table's factors
    private final double scale;

    AttachedToHead(int number, int table, double scale) {
      this.number = number;
      this.table = table;
      this.scale = scale;
    }

    @Override
    public Node seen(Node input) {
      return on.isEmpty() || !dropoutEnabled ? input : input.dropout(number, config.dropout());
    }

    @Override
    public @Nullable Product product(Node seen) {
      if (on.isEmpty()) {
        return null;
      }
      Factors at = on.get(table);
      Node low = new Linear(new Matrix(at.b()), true, null, null).apply(seen).times(scale);
      return new Product(low, new Matrix(transposed(at)));
    }

    @Override
    public @Nullable Magnitudes magnitudes() {
      return null;
    }
  }

  /**
   * A^T of a table's factors, shape (entries, rank): for autograd a view, and otherwise a weight of
   * its own with the memory of A and of A's gradient, which lives as long as these.
   */
  private synchronized Tensor transposed(Factors at) {
    Tensor a = at.a();
    if (GradMode.is_enabled()) {
      return a.t();
    }
    Transposed before = transposed.get(a);
    if (before != null && before.isOf(a)) {
      return before.values();
    }
    forget(a);
    try (TensorScope scope = TensorScope.open()) {
      Transposed now = Transposed.of(a);
      scope.disown(now.values());
      transposed.put(a, now);
      return now.values();
    }
  }

  private synchronized void forgetTransposes() {
    transposed.values().forEach(values -> Tensors.free(values.values()));
    transposed.clear();
  }

  private synchronized void forget(Tensor a) {
    Transposed before = transposed.remove(a);
    if (before != null) {
      Tensors.free(before.values());
    }
  }

  /**
   * The transpose of a weight as a weight of its own.
   *
   * @param values the transpose
   * @param memory address of the weight's values
   * @param gradient address of its gradient; 0 for none
   */
  private record Transposed(Tensor values, long memory, long gradient) {
    static Transposed of(Tensor weight) {
      Tensor values = weight.detach().t();
      if (weight.requires_grad()) {
        values.set_requires_grad(true);
        if (weight.grad().defined()) {
          values.mutable_grad().put(weight.grad().t());
        }
      }
      return new Transposed(values, Tensors.address(weight), addressOfGradient(weight));
    }

    /** Whether this is still the transpose: the weight may have moved, or be frozen now. */
    boolean isOf(Tensor weight) {
      return memory == Tensors.address(weight)
          && gradient == addressOfGradient(weight)
          && values.requires_grad() == weight.requires_grad();
    }

    private static long addressOfGradient(Tensor weight) {
      Tensor gradient = weight.grad();
      return gradient.defined() ? Tensors.address(gradient) : 0;
    }
  }

  /** A weight of the base that is trained in full, and its value before training. */
  private record Saved(Tensor inModel, Tensor original) {}

  /** The end of the names of the factors A. */
  public static final String A = ".lora_A.weight";

  /** The end of the names of the factors B. */
  public static final String B = ".lora_B.weight";

  /** In the names of both factors of a table. */
  public static final String OF_TABLE = ".lora_embedding_";

  private static final String TABLE_A = OF_TABLE + "A";
  private static final String TABLE_B = OF_TABLE + "B";

  /** The end of the names of DoRA's magnitudes. */
  public static final String MAGNITUDES = ".lora_magnitude_vector";

  private static final long NORM_PIECE = 1 << 20;

  private final CausalLm base;
  private final LoraConfig config;
  private final LoraPlan plan;
  private final Parameters trained = new Parameters();
  private final List<Factors> factors = new ArrayList<>();
  private final List<ExpertFactors> ofExperts = new ArrayList<>();
  private final Map<String, ExpertFactors> byWeight = new HashMap<>(); // of the base
  private final List<Tensor> owned = new ArrayList<>();
  private final List<Saved> saved = new ArrayList<>();
  private final List<Tensor> aside = new ArrayList<>(); // trained values, while others are in use
  private boolean headAttached; // the tied head, by this adapter
  private final IdentityHashMap<Tensor, Transposed> transposed = new IdentityHashMap<>(); // by A
  private volatile List<Factors> on = factors; // what the layers compute with
  private volatile List<ExpertFactors> onExperts = ofExperts; // as on
  private @Nullable Other off; // the base
  private @Nullable Other inUse; // in place of this model
  private int holds; // open ones of inUse
  private boolean dropoutEnabled;

  /**
   * Attaches an adapter to a model.
   *
   * @param base owned by the caller
   * @param source of the adapter's weights: {@code <layer>.lora_A.weight}, shape (rank, in), {@code
   *     <layer>.lora_B.weight}, shape (out, rank), with DoRA {@code <layer>.lora_magnitude_vector},
   *     shape (out), and the modules trained in full under their names in the base
   * @throws LoraSettingException if the configuration does not fit the model
   */
  public LoraModel(CausalLm base, LoraConfig config, ParameterSource source) {
    this.base = base;
    this.config = config;
    this.plan = LoraPlan.of(config, base);
    ParameterSource there = source.on(base.parameters().like());
    try {
      plan.layers().forEach(layer -> attach(layer, layer.path(), there));
      if (plan.tiedHead() != null) {
        attach(plan.tiedHead());
      }
      plan.routers().forEach(router -> attach(router, router.path() + ".weight", there));
      plan.experts().forEach(on -> attach(on, there));
      plan.saved().forEach(parameter -> replace(parameter, there));
      updateNorms(factors);
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  /**
   * A source of weights for a new adapter that changes no output: A is drawn as PyTorch draws a
   * linear layer, B is zero; of a table A is zero and B normal, or if the head uses them too drawn
   * as the head's A, as in PEFT; and modules that are trained in full have the values of the base.
   */
  public static ParameterSource fresh(CausalLm base, RandomNumbers numbers) {
    RandomParameters random = new RandomParameters(ElementType.F32, numbers);
    ParameterSource copies = base.parameters().copies();
    return (name, kind, shape) -> {
      if (name.endsWith(A)) {
        return random.take(name, kind, shape);
      }
      if (name.endsWith(TABLE_B)) {
        return kind == ParameterSource.Kind.EMBEDDING
            ? random.take(name, kind, shape)
            : transposed(random.take(name, kind, shape[1], shape[0]));
      }
      if (name.endsWith(B) || name.endsWith(TABLE_A)) {
        try (TensorScope scope = TensorScope.open()) {
          return scope.disown(Tensors.zeros(ElementType.F32, shape));
        }
      }
      if (name.endsWith(MAGNITUDES)) {
        return lengths(base, name.substring(0, name.length() - MAGNITUDES.length()));
      }
      return copies.take(name, kind, shape);
    };
  }

  /** The transpose of a tensor, which is freed. */
  private static Tensor transposed(Tensor tensor) {
    try (TensorScope scope = TensorScope.open()) {
      return scope.disown(tensor.t().contiguous());
    } finally {
      Tensors.free(tensor);
    }
  }

  /** The norms of the rows of a layer's own matrix. */
  private static Tensor lengths(CausalLm base, String path) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      return base.parameters().slots().stream()
          .filter(slot -> slot.path().equals(path))
          .findFirst()
          .map(slot -> scope.disown(norms(own(base, slot))))
          .orElseThrow();
    }
  }

  /** A layer's own matrix in the precision of products, shape (out, in). */
  private static Tensor own(CausalLm base, AdapterSlot layer) {
    Tensor matrix =
        layer.isTable()
            ? new Matrix(layer.weight()).copy()
            : base.parameters().matrix(layer.weight()).copy();
    return layer.transposed() ? matrix.t() : matrix;
  }

  /**
   * Attaches the adapter of one layer.
   *
   * @param key the name that the patterns of ranks and alphas fit
   */
  private void attach(AdapterSlot layer, String key, ParameterSource source) {
    String path = layer.path();
    int rank = config.rank(key);
    Tensor a = take(source, path + endOfA(layer), ParameterSource.Kind.MATRIX, rank, layer.in());
    boolean plainTable = layer.isTable() && plan.tiedHead() == null;
    ParameterSource.Kind kind =
        plainTable ? ParameterSource.Kind.EMBEDDING : ParameterSource.Kind.MATRIX;
    Tensor b = take(source, path + endOfB(layer), kind, layer.out(), rank);
    Magnitudes magnitudes = null;
    if (config.dora()) {
      try (TensorScope scope = TensorScope.open()) {
        magnitudes =
            withNorms(
                take(source, path + MAGNITUDES, ParameterSource.Kind.MAGNITUDES, layer.out()));
        owned.add(scope.disown(magnitudes.norms()));
      }
    }
    Factors added = new Factors(layer, factors.size(), a, b, config.scale(key), magnitudes);
    layer.attach(new Attached(added.index()));
    factors.add(added);
  }

  private void attach(LoraPlan.OnExperts on, ParameterSource source) {
    ExpertSlot slot = on.slot();
    int index = ofExperts.size();
    long ranks = (long) config.rank(slot.path()) * slot.experts();
    ParameterSource.Kind kind = ParameterSource.Kind.MATRIX;
    Tensor a = take(source, on.name() + A, kind, ranks, slot.in());
    Tensor b = take(source, on.name() + B, kind, slot.out(), ranks);
    slot.attach(() -> onExperts.isEmpty() ? null : onExperts.get(index).factors());
    ExpertFactors added = new ExpertFactors(slot, on.name(), a, b, config.scale(slot.path()));
    ofExperts.add(added);
    slot.weights().forEach(weight -> byWeight.put(weight, added));
  }

  /** Attaches the adapter of the table to the head as well. */
  private void attach(AdapterSlot head) {
    head.attach(new AttachedToHead(factors.size(), ofTable().index(), config.scale(head.path())));
    headAttached = true;
  }

  private static String endOfA(AdapterSlot layer) {
    return layer.isTable() ? TABLE_A : A;
  }

  private static String endOfB(AdapterSlot layer) {
    return layer.isTable() ? TABLE_B : B;
  }

  private Tensor take(
      ParameterSource source, String name, ParameterSource.Kind kind, long... shape) {
    Tensor tensor = trained.take(source, name, kind, shape);
    owned.add(tensor);
    return tensor;
  }

  /** Computes |V| anew. */
  private void updateNorms(List<Factors> changed) {
    if (!config.dora()) {
      return;
    }
    try (Pools.Hold spread = Pools.spread();
        NoGrad noGrad = NoGrad.open()) {
      for (Factors at : changed) {
        try (TensorScope scope = TensorScope.open()) {
          Tensor sum = own(base, at.layer()).add_(at.product(0, at.layer().out()));
          Objects.requireNonNull(at.magnitudes()).norms().copy_(norms(sum));
        }
      }
    }
  }

  @Override
  public void weightsChanged() {
    CausalLm.super.weightsChanged();
    updateNorms(factors);
  }

  /** Gives a weight of the base new memory to be trained in, and saves its value. */
  private void replace(Parameters.Parameter parameter, ParameterSource source) {
    Tensor inModel = parameter.tensor();
    Tensor values = source.take(parameter.name(), parameter.kind(), inModel.shape());
    try (TensorScope scope = TensorScope.open()) {
      Tensor original = scope.disown(inModel.detach());
      owned.add(original);
      inModel.set_data(values);
      saved.add(new Saved(inModel, original));
      trained.add(parameter);
    } finally {
      Tensors.free(values);
    }
  }

  /** Applies the configuration's dropout in passes that get a dropout seed, from now on. */
  public void enableDropout() {
    dropoutEnabled = true;
  }

  public LoraConfig config() {
    return config;
  }

  /** The layers and weights that the configuration chose. */
  public LoraPlan plan() {
    return plan;
  }

  /**
   * The model without the adapter. It shares all memory with this one; the two cannot compute at
   * the same time.
   */
  public synchronized CausalLm base() {
    if (off == null) {
      off =
          new Other(
              List.of(),
              List.of(),
              saved.stream().map(Saved::original).toList(),
              base.parameters());
    }
    return off;
  }

  /**
   * Whether {@link #effective} weights compute what the adapter does: one matrix has to hold both
   * uses of a table that is the head as well.
   */
  public boolean isMergeable() {
    AdapterSlot table = LoraPlan.tiedTable(base);
    boolean apart =
        plan.tiedHead() == null
            ? plan.layers().stream()
                .anyMatch(layer -> table != null && layer.weight().is_same(table.weight()))
            : table != null && config.scale(table.path()) != config.scale(plan.tiedHead().path());
    return !apart;
  }

  /**
   * Checks {@link #isMergeable}.
   *
   * @throws LoraSettingException if the two uses differ
   */
  public void requireMergeable() {
    if (!isMergeable()) {
      throw new LoraSettingException(
          "ensure_weight_tying",
          "must be true, with one alpha and rank, for an adapter on embedding table or head that is"
              + " to be merged, since the two are one matrix (tie_word_embeddings) but this adapter"
              + " changes them apart; PEFT's merge changes both uses by what was trained for one."
              + " Use the adapter without merging it, or train one with ensure_weight_tying");
    }
  }

  /**
   * The weights that PEFT stores under the head's path too where it ties the head to a table, by
   * name; empty if nothing is tied. In the caller's scope.
   */
  public Map<String, Tensor> copiesAtTiedHead() {
    AdapterSlot head = base.head().slot();
    AdapterSlot table = LoraPlan.tiedTable(base);
    if (head == null || table == null) {
      return Map.of();
    }
    Map<String, Tensor> copies = new HashMap<>();
    if (config.savesTied()) {
      copies.put(head.path() + ".weight", table.weight().detach());
    }
    if (plan.tiedHead() != null) {
      Factors at = ofTable();
      copies.put(head.path() + A, at.b().detach().t().contiguous());
      copies.put(head.path() + B, at.a().detach().t().contiguous());
    }
    return copies;
  }

  private Factors ofTable() {
    return factors.stream().filter(at -> at.layer().isTable()).findFirst().orElseThrow();
  }

  /** W + s B A, in fp32, where the adapter is on the layer of W; with DoRA its rows m long. */
  @Override
  public Tensor effective(Parameters.Parameter parameter) {
    if (byWeight.containsKey(parameter.name())) {
      return TensorScope.compute(() -> mergedExperts(parameter));
    }
    return factors.stream()
        .filter(at -> at.layer().weight().is_same(parameter.tensor()))
        .findFirst()
        .map(at -> TensorScope.compute(() -> merged(at)))
        .orElse(parameter.tensor());
  }

  /**
   * Some rows of the matrix with which a layer of the adapter computes, shape (to - from, in), or
   * of a table, shape (to - from, out), in the caller's scope.
   *
   * @param layer its path
   * @param own the same rows of its own matrix, fp32
   * @throws java.util.NoSuchElementException if the adapter is not on that layer
   */
  public Tensor effectiveRows(String layer, Tensor own, long from, long to) {
    Factors at =
        factors.stream().filter(one -> one.layer().path().equals(layer)).findFirst().orElseThrow();
    try (NoGrad noGrad = NoGrad.open()) {
      return at.layer().isTable() ? at.transposed(from, to).add_(own) : at.rows(own, from, to);
    }
  }

  /**
   * Rows, in the first dimension, of a weight with matrices of experts that the adapter is on, in
   * the caller's scope.
   *
   * @param weight its name
   * @param own the same rows of the weight, fp32
   * @throws java.util.NoSuchElementException if the adapter is not on experts in that weight
   */
  public Tensor effectiveRowsOfExperts(String weight, Tensor own, long from, long to) {
    ExpertFactors at = Optional.ofNullable(byWeight.get(weight)).orElseThrow();
    try (NoGrad noGrad = NoGrad.open()) {
      return at.changed(at.slot().part(weight), own, from, to);
    }
  }

  private Tensor mergedExperts(Parameters.Parameter weight) {
    Tensor tensor = weight.tensor();
    try (Pools.Hold spread = Pools.spread()) {
      Tensor own = base.parameters().matrix(tensor).copy();
      return effectiveRowsOfExperts(weight.name(), own, 0, tensor.size(0));
    }
  }

  private Tensor merged(Factors at) {
    try (Pools.Hold spread = Pools.spread();
        NoGrad noGrad = NoGrad.open()) {
      Tensor rows = at.rows(own(base, at.layer()), 0, at.layer().out());
      return at.layer().transposed() ? rows.t() : rows;
    }
  }

  /**
   * The distance between two states of this adapter: the Euclidean norm of the difference between
   * the model's weights with either, over all layers and modules trained in full.
   *
   * @param one first values of {@link #trained()}, by name
   * @param other second values of {@link #trained()}, by name
   */
  public double distance(Map<String, Tensor> one, Map<String, Tensor> other) {
    double sum = 0;
    try (NoGrad noGrad = NoGrad.open()) {
      for (Factors at : factors) {
        try (TensorScope scope = TensorScope.open()) {
          double norm = distance(at.with(one), at.with(other));
          sum += norm * norm;
        }
      }
      for (ExpertFactors at : ofExperts) {
        double norm = distance(at.slot(), at.with(one), at.with(other));
        sum += norm * norm;
      }
      for (Parameters.Parameter parameter : plan.saved()) {
        Tensor before = value(one, parameter.name());
        Tensor after = value(other, parameter.name());
        long rows = before.size(0);
        double norm =
            norm(
                rows,
                before.numel() / rows,
                (from, to) ->
                    Tensors.rows(before, 0, from, to).sub(Tensors.rows(after, 0, from, to)));
        sum += norm * norm;
      }
    }
    return Math.sqrt(sum);
  }

  private double distance(Factors one, Factors other) {
    AdapterSlot layer = one.layer();
    if (!config.dora()) {
      return norm(
          layer.out(),
          layer.in(),
          (from, to) -> one.product(from, to).sub_(other.product(from, to)));
    }
    Tensor own = own(base, layer);
    return norm(
        layer.out(),
        layer.in(),
        (from, to) -> {
          Tensor rows = Tensors.rows(own, 0, from, to);
          return one.rows(rows, from, to).sub_(other.rows(rows, from, to));
        });
  }

  private static double distance(ExpertSlot slot, ExpertFactors one, ExpertFactors other) {
    double sum = 0;
    for (int i = 0; i < slot.experts(); i++) {
      int expert = i;
      double norm =
          norm(
              slot.out(),
              slot.in(),
              (from, to) -> one.change(expert, from, to).sub_(other.change(expert, from, to)));
      sum += norm * norm;
    }
    return Math.sqrt(sum);
  }

  /** Rows of a matrix that is never computed as a whole. */
  private interface Rows {
    Tensor get(long from, long to);
  }

  /** The Euclidean norm of a matrix, in 64 bits, computed in pieces to save memory. */
  private static double norm(long rows, long columns, Rows matrix) {
    long step = Math.max(1, NORM_PIECE / columns);
    double sum = 0;
    for (long from = 0; from < rows; from += step) {
      try (TensorScope scope = TensorScope.open()) {
        Tensor piece = matrix.get(from, Math.min(rows, from + step));
        sum += Math.pow(piece.to(ElementType.F64.scalarType()).norm().item_double(), 2);
      }
    }
    return Math.sqrt(sum);
  }

  static Tensor value(Map<String, Tensor> values, String name) {
    return Objects.requireNonNull(values.get(name), name);
  }

  @Override
  public List<EmbeddingTable> embeddingTables() {
    return base.embeddingTables();
  }

  @Override
  public List<? extends DecoderBlock> blocks() {
    return base.blocks();
  }

  @Override
  public Rotations rotations(Tensor positions) {
    return base.rotations(positions);
  }

  @Override
  public Node finalNorm(Node states) {
    return base.finalNorm(states);
  }

  @Override
  public Linear head() {
    return base.head();
  }

  @Override
  public List<String> untapedParts() {
    return base.untapedParts();
  }

  @Override
  public double logitCap() {
    return base.logitCap();
  }

  @Override
  public boolean hasDropout() {
    return dropoutEnabled && config.dropout() > 0;
  }

  @Override
  public @Nullable RouterLoss routerLoss() {
    return base.routerLoss();
  }

  /** The base's weights; those that are trained in full have their current values. */
  @Override
  public Parameters parameters() {
    return base.parameters();
  }

  /**
   * A and B of each layer, router and matrix of experts, and the weights that are trained in full.
   */
  @Override
  public Parameters trained() {
    return trained;
  }

  @Override
  public int vocabSize() {
    return base.vocabSize();
  }

  @Override
  public int maxPositions() {
    return base.maxPositions();
  }

  /**
   * The model with a copy of the adapter, which is its {@link #trained}. Like {@link #base} it
   * shares the base's memory with this model, and the two cannot compute at the same time.
   */
  @Override
  public CausalLm copy() {
    Parameters copies = new Parameters();
    Map<String, Tensor> byName = new HashMap<>();
    for (Parameters.Parameter parameter : trained.all()) {
      Tensor copy = Tensors.copyOf(parameter.tensor());
      copies.add(new Parameters.Parameter(parameter.name(), parameter.kind(), copy));
      byName.put(parameter.name(), copy);
    }
    try (TensorScope scope = TensorScope.open()) {
      List<Factors> values = factors.stream().map(at -> at.with(byName)).toList();
      values.forEach(at -> at.disownNorms(scope));
      updateNorms(values);
      return new Other(
          values,
          ofExperts.stream().map(at -> at.with(byName)).toList(),
          plan.saved().stream().map(weight -> value(byName, weight.name())).toList(),
          copies);
    }
  }

  /** Detaches the adapter and frees it. The base has its own weights again. */
  @Override
  public void close() {
    factors.forEach(at -> at.layer().detach());
    if (plan.tiedHead() != null && headAttached) {
      plan.tiedHead().detach();
      headAttached = false;
    }
    factors.clear();
    ofExperts.forEach(at -> at.slot().detach());
    ofExperts.clear();
    byWeight.clear();
    forgetTransposes();
    saved.forEach(weight -> weight.inModel().set_data(weight.original()));
    saved.clear();
    owned.forEach(Tensors::free);
    owned.clear();
  }

  /** The base with other values than the trained ones. */
  private final class Other implements CausalLm {
    private final List<Factors> values;
    private final List<ExpertFactors> experts;
    private final List<Tensor> full;
    private final Parameters trained;

    /**
     * @param values of the layers that have an adapter; empty without the adapter
     * @param experts values of the experts that have an adapter
     * @param full values of the weights that are trained in full
     * @param trained belongs to this object if it is not the base's
     */
    Other(
        List<Factors> values, List<ExpertFactors> experts, List<Tensor> full, Parameters trained) {
      this.values = values;
      this.experts = experts;
      this.full = full;
      this.trained = trained;
    }

    private boolean isBase() {
      return trained == base.parameters();
    }

    @Override
    public List<EmbeddingTable> embeddingTables() {
      return base.embeddingTables();
    }

    @Override
    public List<? extends DecoderBlock> blocks() {
      return base.blocks();
    }

    @Override
    public Rotations rotations(Tensor positions) {
      return base.rotations(positions);
    }

    @Override
    public Node finalNorm(Node states) {
      return base.finalNorm(states);
    }

    @Override
    public Linear head() {
      return base.head();
    }

    @Override
    public List<String> untapedParts() {
      return base.untapedParts();
    }

    @Override
    public double logitCap() {
      return base.logitCap();
    }

    @Override
    public AdapterHold holdAdapter() {
      return switchTo(this);
    }

    @Override
    public Parameters parameters() {
      return base.parameters();
    }

    @Override
    public Parameters trained() {
      return trained;
    }

    @Override
    public int vocabSize() {
      return base.vocabSize();
    }

    @Override
    public int maxPositions() {
      return base.maxPositions();
    }

    @Override
    public CausalLm copy() {
      if (!isBase()) {
        throw new UnsupportedOperationException("copy the model that this one is a copy of");
      }
      try (AdapterHold adapter = holdAdapter()) {
        return base.copy();
      }
    }

    /** Frees the values if they are a copy; all else is the base's. */
    @Override
    public void close() {
      if (!isBase()) {
        values.forEach(at -> forget(at.a()));
        trained.close();
        values.forEach(Factors::freeNorms);
      }
    }

    @Override
    public void weightsChanged() {
      CausalLm.super.weightsChanged();
      updateNorms(values);
    }
  }

  /** Computes with other values until the last hold of them is closed. */
  private synchronized AdapterHold switchTo(Other other) {
    if (holds == 0) {
      try (TensorScope scope = TensorScope.open()) {
        for (int i = 0; i < saved.size(); i++) {
          Tensor inModel = saved.get(i).inModel();
          aside.add(scope.disown(inModel.detach()));
          inModel.set_data(other.full.get(i));
        }
      }
      on = other.values;
      onExperts = other.experts;
      inUse = other;
      base.parameters().refreshBf16(plan.saved());
    } else if (inUse != other) {
      throw new IllegalStateException(
          "the model is in use with other values of its adapter; end that use first");
    }
    holds++;
    return this::switchBack;
  }

  private synchronized void switchBack() {
    if (--holds == 0) {
      for (int i = 0; i < aside.size(); i++) {
        saved.get(i).inModel().set_data(aside.get(i));
        Tensors.free(aside.get(i));
      }
      aside.clear();
      on = factors;
      onExperts = ofExperts;
      base.parameters().refreshBf16(plan.saved());
    }
  }

  /**
   * Does nothing: the adapter is on.
   *
   * @throws IllegalStateException if {@link #base} or a {@link #copy} is in use
   */
  @Override
  public synchronized AdapterHold holdAdapter() {
    if (holds > 0) {
      throw new IllegalStateException(
          "the adapter is off because the model is in use without it or with another state of it;"
              + " end that use of base() or copy() first");
    }
    return () -> {};
  }
}
