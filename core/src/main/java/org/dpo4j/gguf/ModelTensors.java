package org.dpo4j.gguf;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.Rope;
import org.dpo4j.model.RopeScaling;
import org.dpo4j.model.decoder.AttentionConfig;
import org.dpo4j.model.decoder.DecoderConfig;
import org.dpo4j.model.decoder.ExpertConfig;
import org.dpo4j.model.decoder.MlpConfig;
import org.dpo4j.model.decoder.NormConfig;
import org.dpo4j.model.lora.LoraModel;
import org.dpo4j.torch.Tensors;
import org.dpo4j.weights.StreamedModel;
import org.jspecify.annotations.Nullable;

/**
 * The tensors of a model as llama.cpp expects them: their names, and where their rows come from.
 */
final class ModelTensors {

  /** Rows of one weight, in the order in which they are needed. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Part(String layer, long start, long count, int @Nullable [] order) {
    static Part whole(String layer, long count) {
      return new Part(layer, 0, count, null);
    }
  }

  /** The alpha of adapters, by which all factors of their products are given. */
  static final double ALPHA = 1;

  private final Map<String, List<Part>> matrices = new LinkedHashMap<>(); // by names in the file
  private final Architecture architecture;
  private final StreamedModel source;
  private final DecoderConfig model;
  private final GgufType type;
  private final List<GgufTensor> tensors = new ArrayList<>();

  private ModelTensors(Architecture architecture, StreamedModel source, GgufType type) {
    this.architecture = architecture;
    this.source = source;
    this.model = source.decoder();
    this.type = type;
  }

  /**
   * The tensors of a model.
   *
   * @param source fits the architecture
   * @param type of the matrices; vectors, routers and positions are in fp32, and matrices with rows
   *     that the type cannot hold in fp16
   */
  static List<GgufTensor> of(Architecture architecture, StreamedModel source, GgufType type) {
    return of(new ModelTensors(architecture, source, type));
  }

  private static List<GgufTensor> of(ModelTensors all) {
    all.ends();
    for (int i = 0; i < all.model.layers().size(); i++) {
      all.block(i);
    }
    return all.tensors;
  }

  /**
   * The tensors of an adapter alone: for each matrix A, shape (rank, in), and B, shape (out, rank),
   * in fp32. A matrix of several layers has the ranks of their adapters together.
   *
   * @param source with an adapter; fits the architecture
   */
  static List<GgufTensor> ofAdapter(Architecture architecture, StreamedModel source) {
    ModelTensors all = new ModelTensors(architecture, source, GgufType.F32);
    of(all);
    LoraModel lora = source.adapter().orElseThrow().model();
    Map<String, Tensor> trained = new HashMap<>();
    lora.trained().all().forEach(p -> trained.put(p.name(), p.tensor()));
    List<GgufTensor> tensors = new ArrayList<>();
    all.matrices.forEach(
        (name, parts) -> {
          List<String> layers =
              parts.stream()
                  .map(Part::layer)
                  .distinct()
                  .filter(layer -> trained.containsKey(layer + LoraModel.A))
                  .toList();
          if (!layers.isEmpty()) {
            tensors.addAll(pair(name, parts, layers, trained, lora));
          }
        });
    return tensors;
  }

  private static List<GgufTensor> pair(
      String name,
      List<Part> parts,
      List<String> layers,
      Map<String, Tensor> trained,
      LoraModel lora) {
    List<Tensor> as =
        layers.stream()
            .map(layer -> Objects.requireNonNull(trained.get(layer + LoraModel.A)))
            .toList();
    long rank = as.stream().mapToLong(a -> a.size(0)).sum();
    long in = as.get(0).size(1);
    long out = count(parts);
    GgufTensor a =
        new GgufTensor(
            name + ".lora_a",
            GgufType.F32,
            List.of(rank, in),
            rank,
            (from, to) -> as.size() == 1 ? as.get(0) : Tensors.cat(as, 0));
    GgufTensor b =
        new GgufTensor(
            name + ".lora_b",
            GgufType.F32,
            List.of(out, rank),
            out,
            (from, to) -> {
              List<Tensor> rows = new ArrayList<>();
              for (Part part : parts) {
                rows.add(rowsOfB(part, layers, trained, lora, rank));
              }
              return rows.size() == 1 ? rows.get(0) : Tensors.cat(rows, 0);
            });
    return List.of(a, b);
  }

  /** Rows of B in the columns of their layer, with zeros beside them, times its factor. */
  private static Tensor rowsOfB(
      Part part, List<String> layers, Map<String, Tensor> trained, LoraModel lora, long rank) {
    List<Tensor> columns = new ArrayList<>();
    for (String layer : layers) {
      Tensor b = Objects.requireNonNull(trained.get(layer + LoraModel.B));
      if (!layer.equals(part.layer())) {
        columns.add(Tensors.zerosLike(b, part.count(), b.size(1)));
        continue;
      }
      int[] order = part.order();
      Tensor rows =
          order == null
              ? Tensors.rows(b, 0, part.start(), part.start() + part.count())
              : b.index_select(
                  0,
                  Tensors.indices(
                      b, Arrays.stream(order).map(place -> place + (int) part.start()).toArray()));
      // llama.cpp multiplies by alpha / rank.
      columns.add(rows.mul(Tensors.scalar(lora.config().scale(layer) * rank / ALPHA)));
    }
    return columns.size() == 1 ? columns.get(0) : Tensors.cat(columns, 1);
  }

  private void ends() {
    String table = model.embedding().table();
    table("token_embd.weight", table, type);
    if (model.embedding().positions() != null) {
      String positions = model.embedding().positions().table();
      long offset = model.embedding().positions().offset();
      long count = source.shape(positions)[0] - offset;
      rows("position_embd.weight", positions, offset, count, GgufType.F32);
    }
    norm("output_norm", model.norms().last(), model.hiddenSize(), null);
    if (!model.head().tied()) {
      matrix("output.weight", List.of(Part.whole(model.head().name(), model.vocabSize())), type);
    } else if (architecture.head() == Architecture.Head.OWN) {
      table("output.weight", table, type);
    }
    bias(
        "output.bias",
        Architecture.Bias.HEAD,
        model.head().bias() ? List.of(Part.whole(model.head().name(), model.vocabSize())) : null,
        model.vocabSize());
    frequencies();
  }

  private void frequencies() {
    Rope rope = model.firstRope();
    if (rope == null || rope.scaling() instanceof RopeScaling.None) {
      return;
    }
    float[] plain = Rope.of(rope.theta(), rope.width()).frequencies();
    float[] scaled = rope.frequencies();
    float[] divisors = new float[plain.length];
    for (int i = 0; i < divisors.length; i++) {
      divisors[i] = plain[i] / scaled[i];
    }
    if (architecture.hasFrequencyTensor()) {
      constant("rope_freqs.weight", divisors);
    } else if (architecture.hasLongRope() && rope.scaling() instanceof RopeScaling.LongRope) {
      constant("rope_factors_long.weight", divisors);
      constant("rope_factors_short.weight", divisors);
    }
  }

  private void block(int number) {
    String prefix = model.blocks() + "." + number + ".";
    String to = "blk." + number + ".";
    NormConfig norms = model.norms();
    int hidden = model.hiddenSize();
    Architecture.Norms places = Objects.requireNonNull(Architecture.places(model));
    boolean falcon = places == Architecture.Norms.BESIDE && !architecture.hasResidualFlag();
    place(to + (falcon ? "attn_norm_2" : "attn_norm"), prefix, norms.beforeAttention());
    attention(prefix, to);
    place(to + "post_attention_norm", prefix, norms.afterAttention());
    if (places != Architecture.Norms.SHARED) {
      place(to + (falcon ? "attn_norm" : "ffn_norm"), prefix, norms.beforeMlp());
    }
    if (model.layers().get(number).sparse()) {
      experts(prefix, to, Objects.requireNonNull(model.experts()));
    } else {
      mlp(prefix, to, hidden);
    }
    place(to + "post_ffw_norm", prefix, norms.afterMlp());
  }

  private void place(String name, String prefix, @Nullable String norm) {
    if (norm != null) {
      norm(name, prefix + norm, model.hiddenSize(), null);
    }
  }

  /**
   * A norm's weight, and its bias.
   *
   * @param order of its channels; null for theirs
   */
  private void norm(String name, String norm, long width, int @Nullable [] order) {
    NormConfig.Kind kind = model.norms().kind();
    if (kind == NormConfig.Kind.LAYER_PLAIN) {
      if (!architecture.hasPlainNorms()) {
        constant(name + ".weight", filled((int) width, 1));
        constant(name + ".bias", filled((int) width, 0));
      }
      return;
    }
    List<Part> channels = List.of(new Part(norm, 0, width, order));
    vector(name + ".weight", channels, ".weight", kind.offset());
    bias(name + ".bias", Architecture.Bias.NORMS, kind.isBiased() ? channels : null, width);
  }

  private void attention(String prefix, String to) {
    AttentionConfig attention = model.attention();
    int width = attention.headDim();
    long queries = (long) attention.heads() * width;
    long keys = (long) attention.keyValueHeads() * width;
    List<Part> q = inputs(prefix, 0);
    List<Part> k = inputs(prefix, 1);
    List<Part> v = inputs(prefix, 2);
    if (architecture.hasJoinedInputs()) {
      List<Part> all = new ArrayList<>(q);
      all.addAll(k);
      all.addAll(v);
      linear(to + "attn_qkv", all, Architecture.Bias.INPUTS, attention.inputBias());
    } else {
      linear(to + "attn_q", q, Architecture.Bias.INPUTS, attention.inputBias());
      linear(to + "attn_k", k, Architecture.Bias.INPUTS, attention.inputBias());
      linear(to + "attn_v", v, Architecture.Bias.INPUTS, attention.inputBias());
    }
    AttentionConfig.HeadNorms norms = attention.norms();
    if (norms != null) {
      boolean all = norms.scope() == AttentionConfig.Scope.ALL_HEADS;
      long queryWidth = all ? queries : width;
      long keyWidth = all ? keys : width;
      norm(to + "attn_q_norm", prefix + norms.query(), queryWidth, turned(queryWidth));
      norm(to + "attn_k_norm", prefix + norms.key(), keyWidth, turned(keyWidth));
    }
    linear(
        to + "attn_output",
        List.of(Part.whole(prefix + attention.output(), model.hiddenSize())),
        Architecture.Bias.OUTPUT,
        attention.outputBias());
  }

  /** The rows of queries (0), keys (1) or values (2). */
  private List<Part> inputs(String prefix, int which) {
    AttentionConfig attention = model.attention();
    int width = attention.headDim();
    long queries = (long) attention.heads() * width;
    long keys = (long) attention.keyValueHeads() * width;
    long count = which == 0 ? queries : keys;
    boolean rotated = which < 2;
    return switch (attention.layout()) {
      case SEPARATE ->
          List.of(
              new Part(
                  prefix + attention.inputs().get(which),
                  0,
                  count,
                  rotated ? turned(count) : null));
      case JOINED -> {
        long start = which == 0 ? 0 : which == 1 ? queries : queries + keys;
        yield List.of(
            new Part(
                prefix + attention.inputs().get(0), start, count, rotated ? turned(count) : null));
      }
      case BY_HEAD -> {
        int perKey = attention.heads() / attention.keyValueHeads();
        int group = (perKey + 2) * width;
        int first = which == 0 ? 0 : (perKey + which - 1) * width;
        int own = which == 0 ? perKey * width : width;
        int[] turned = rotated ? turned(own) : null;
        int[] order = new int[(int) count];
        for (int i = 0; i < order.length; i++) {
          int inGroup = i % own;
          order[i] = i / own * group + first + (turned == null ? inGroup : turned[inGroup]);
        }
        yield List.of(new Part(prefix + attention.inputs().get(0), 0, count, order));
      }
      case BY_QUARTER ->
          throw new IllegalStateException(
              "no architecture has queries, values and keys by quarter");
    };
  }

  /**
   * The order of the channels of whole heads in which those that are rotated together have their
   * places; null for theirs.
   */
  private int @Nullable [] turned(long count) {
    Rope rope = model.firstRope();
    if (rope == null || architecture.pairs() == null) {
      return null;
    }
    boolean neighbours = architecture.pairs() == Architecture.Pairs.NEIGHBOURS;
    if (neighbours == rope.interleaved()) {
      return null;
    }
    int headDim = model.attention().headDim();
    int half = rope.width() / 2;
    return IntStream.range(0, (int) count)
        .map(
            i -> {
              int channel = i % headDim;
              if (channel >= rope.width()) {
                return i;
              }
              int there =
                  neighbours
                      ? channel / 2 + channel % 2 * half
                      : channel < half ? 2 * channel : 2 * (channel - half) + 1;
              return i - channel + there;
            })
        .toArray();
  }

  private void mlp(String prefix, String to, int hidden) {
    MlpConfig mlp = model.mlp();
    int width = mlp.width();
    List<String> inputs = mlp.inputs();
    if (!mlp.gated()) {
      linear(
          to + "ffn_up",
          List.of(Part.whole(prefix + inputs.get(0), width)),
          Architecture.Bias.MLP_INPUTS,
          mlp.inputBias());
    } else {
      boolean joined = inputs.size() == 1;
      Part gate = new Part(prefix + inputs.get(0), 0, width, null);
      Part up =
          joined
              ? new Part(prefix + inputs.get(0), width, width, null)
              : Part.whole(prefix + inputs.get(1), width);
      if (architecture.hasJoinedGate()) {
        linear(to + "ffn_up", List.of(gate, up), Architecture.Bias.MLP_INPUTS, mlp.inputBias());
      } else {
        linear(to + "ffn_gate", List.of(gate), Architecture.Bias.MLP_INPUTS, mlp.inputBias());
        linear(to + "ffn_up", List.of(up), Architecture.Bias.MLP_INPUTS, mlp.inputBias());
      }
    }
    linear(
        to + "ffn_down",
        List.of(Part.whole(prefix + mlp.output(), hidden)),
        Architecture.Bias.MLP_OUTPUT,
        mlp.outputBias());
  }

  private void experts(String prefix, String to, ExpertConfig experts) {
    matrix(
        to + "ffn_gate_inp.weight",
        List.of(Part.whole(prefix + experts.router(), experts.count())),
        GgufType.F32);
    boolean apart = experts.storage() == ExpertConfig.Storage.APART;
    for (int which = 0; which < 3; which++) {
      String name = List.of("ffn_gate_exps", "ffn_up_exps", "ffn_down_exps").get(which);
      if (apart) {
        apart(to + name + ".weight", prefix, experts, which);
      } else {
        joined(to + name + ".weight", prefix, experts, which);
      }
    }
    ExpertConfig.Shared shared = experts.shared();
    if (shared != null) {
      String path = prefix + shared.path();
      vector(
          to + "ffn_gate_inp_shexp.weight",
          List.of(Part.whole(prefix + shared.gate(), 1)),
          ".weight",
          0);
      int width = shared.width();
      int hidden = model.hiddenSize();
      matrix(to + "ffn_gate_shexp.weight", List.of(Part.whole(path + "gate_proj", width)), type);
      matrix(to + "ffn_up_shexp.weight", List.of(Part.whole(path + "up_proj", width)), type);
      matrix(to + "ffn_down_shexp.weight", List.of(Part.whole(path + "down_proj", hidden)), type);
    }
  }

  private void apart(String name, String prefix, ExpertConfig experts, int which) {
    long rows = which == 2 ? model.hiddenSize() : experts.width();
    long columns = which == 2 ? experts.width() : model.hiddenSize();
    List<Part> parts = new ArrayList<>();
    for (int i = 0; i < experts.count(); i++) {
      String path = prefix + experts.names().get(0).formatted(i) + experts.names().get(1 + which);
      parts.add(Part.whole(path, rows));
    }
    add(name, type, List.of((long) experts.count(), rows, columns), parts, ".weight", 0);
  }

  private void joined(String name, String prefix, ExpertConfig experts, int which) {
    long rows = which == 2 ? model.hiddenSize() : experts.width();
    long columns = which == 2 ? experts.width() : model.hiddenSize();
    String weight = prefix + experts.names().get(which == 2 ? 1 : 0);
    long first = which == 1 ? rows : 0;
    GgufType stored = fitting(type, columns);
    tensors.add(
        new GgufTensor(
            name,
            stored,
            List.of((long) experts.count(), rows, columns),
            rows,
            (from, to) -> {
              long expert = from / rows;
              Tensor matrix = source.rows(weight, expert, expert + 1).select(0, 0);
              return Tensors.rows(matrix, 0, first, first + rows);
            }));
  }

  private void linear(String name, List<Part> parts, Architecture.Bias bias, boolean biased) {
    matrix(name + ".weight", parts, type);
    bias(name + ".bias", bias, biased ? parts : null, count(parts));
  }

  /** A bias; zeros where the architecture has one and the model has none. */
  private void bias(String name, Architecture.Bias bias, @Nullable List<Part> parts, long count) {
    if (parts != null) {
      vector(name, parts, ".bias", 0);
    } else if (architecture.requires(bias)) {
      constant(name, filled((int) count, 0));
    }
  }

  private static float[] filled(int count, float value) {
    float[] values = new float[count];
    Arrays.fill(values, value);
    return values;
  }

  private static long count(List<Part> parts) {
    return parts.stream().mapToLong(Part::count).sum();
  }

  private void table(String name, String weight, GgufType stored) {
    rows(name, weight, 0, source.shape(weight)[0], stored);
  }

  private void rows(String name, String weight, long start, long count, GgufType stored) {
    long columns = source.shape(weight)[1];
    add(
        name,
        stored,
        List.of(count, columns),
        List.of(new Part(weight, start, count, null)),
        "",
        0);
  }

  private void matrix(String name, List<Part> parts, GgufType stored) {
    matrices.put(name, parts);
    String weight = parts.get(0).layer() + ".weight";
    long[] shape = source.shape(weight);
    long columns = source.transposed(weight) ? shape[0] : shape[1];
    add(name, stored, List.of(count(parts), columns), parts, ".weight", 0);
  }

  private void vector(String name, List<Part> parts, String end, double plus) {
    long count = parts.stream().mapToLong(part -> elements(part, end)).sum();
    add(name, GgufType.F32, List.of(count), parts, end, plus);
  }

  private long elements(Part part, String end) {
    long[] shape = source.shape(part.layer() + end);
    return shape.length == 1 ? part.count() : part.count() * shape[1];
  }

  private static GgufType fitting(GgufType type, long columns) {
    return type.fits(columns) ? type : GgufType.F16;
  }

  private void add(
      String name, GgufType wanted, List<Long> shape, List<Part> parts, String end, double plus) {
    long columns = shape.get(shape.size() - 1);
    boolean whole =
        shape.size() == 1 || parts.stream().anyMatch(part -> source.transposed(part.layer() + end));
    long rows = whole ? Long.MAX_VALUE : Math.max(1, GgufWriter.PIECE / columns);
    tensors.add(
        new GgufTensor(
            name,
            fitting(wanted, columns),
            shape,
            shape.size() == 1 ? 1 : Math.min(rows, count(parts)),
            (from, to) -> {
              Tensor values =
                  shape.size() == 1
                      ? rows(parts, end, 0, count(parts))
                      : rows(parts, end, from, to);
              return plus == 0 ? values : values.add(Tensors.scalar(plus));
            }));
  }

  private Tensor rows(List<Part> parts, String end, long from, long to) {
    List<Tensor> pieces = new ArrayList<>();
    long before = 0;
    for (Part part : parts) {
      long first = Math.max(from, before) - before;
      long last = Math.min(to, before + part.count()) - before;
      if (first < last) {
        pieces.add(rows(part, end, first, last));
      }
      before += part.count();
    }
    return pieces.size() == 1 ? pieces.get(0) : Tensors.cat(pieces, 0);
  }

  private Tensor rows(Part part, String end, long from, long to) {
    String weight = part.layer() + end;
    int[] order = part.order();
    if (order == null) {
      return read(weight, part.start() + from, part.start() + to);
    }
    int[] places = Arrays.copyOfRange(order, (int) from, (int) to);
    int first = Arrays.stream(places).min().orElse(0);
    int last = Arrays.stream(places).max().orElse(0);
    Tensor block = read(weight, part.start() + first, part.start() + last + 1);
    return block.index_select(
        0, Tensors.indices(block, Arrays.stream(places).map(place -> place - first).toArray()));
  }

  private Tensor read(String weight, long from, long to) {
    return source.transposed(weight)
        ? Tensors.rows(source.transposedValues(weight), 0, from, to)
        : source.rows(weight, from, to);
  }

  private void constant(String name, float[] values) {
    tensors.add(
        new GgufTensor(
            name,
            GgufType.F32,
            List.of((long) values.length),
            1,
            (from, to) -> Tensors.floats(values)));
  }
}
