package org.dpo4j.gguf;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.data.FileFailure;
import org.dpo4j.model.Activation;
import org.dpo4j.model.AdapterSlot;
import org.dpo4j.model.lora.LoraConfig;
import org.dpo4j.model.lora.LoraModel;
import org.dpo4j.tokenizer.TokenizerParts;
import org.dpo4j.weights.StreamedModel;

/** A model as a GGUF file: its keys and tensors, which are read when they are written. */
public final class GgufExport {

  /** The types of matrices in a file. */
  public enum OutType {
    /** As in the checkpoint. */
    AUTO,
    F32,
    F16,
    BF16,
    Q8_0
  }

  private static final String GELU =
      "llama.cpp computes this model's activation (GELU) from a table with 16 bits, so"
          + " log-probabilities differ in the third digit";
  private static final Pattern PHI3 = Pattern.compile("phi-?3", Pattern.CASE_INSENSITIVE);

  private final GgufMetadata metadata;
  private final List<GgufTensor> tensors;
  private final List<String> notes;
  private final GgufType type;
  private final boolean rounds;
  private final String architecture;

  private GgufExport(
      String architecture,
      GgufType type,
      boolean rounds,
      GgufMetadata metadata,
      List<GgufTensor> tensors,
      List<String> notes) {
    this.architecture = architecture;
    this.type = type;
    this.rounds = rounds;
    this.metadata = metadata;
    this.tensors = tensors;
    this.notes = List.copyOf(notes);
  }

  /**
   * Describes a model.
   *
   * @param name of the model, for people
   * @param parts the model's tokenizer
   * @param endIds ids that end an answer
   * @param outtype of the matrices
   * @throws DpoException if llama.cpp does not compute what the model does, the format has no exact
   *     form of its tokenizer, or the model has an adapter that cannot be merged
   */
  public static GgufExport of(
      String name,
      StreamedModel model,
      TokenizerParts parts,
      List<Integer> endIds,
      OutType outtype) {
    model.adapter().ifPresent(adapter -> adapter.model().requireMergeable());
    GgufType type = type(outtype, model);
    Architecture architecture = architecture(model);
    List<String> notes = new ArrayList<>();
    int context = architecture.context(model.decoder());
    if (context < model.decoder().maxPositions()) {
      notes.add(
          "llama.cpp has no sliding windows in the architecture %s, so the file's context is the window, %,d tokens instead of %,d"
              .formatted(architecture.name(), context, model.decoder().maxPositions()));
    }
    if (architecture.activation() == Activation.GELU_TANH) {
      notes.add(GELU);
    }
    VocabularyKeys.Result vocabulary =
        VocabularyKeys.of(
            model.skeleton().folder().path().resolve("tokenizer.json").toString(),
            parts,
            model.decoder().vocabSize(),
            endIds);
    notes.addAll(vocabulary.notes());
    GgufMetadata metadata =
        new GgufMetadata()
            .text("general.architecture", architecture.name())
            .text("general.type", "model")
            .text("general.name", named(name, vocabulary.strips()))
            .number("general.file_type", type.fileType())
            .number("general.quantization_version", 2)
            .all(ModelKeys.of(architecture, model.decoder()))
            .all(vocabulary.keys());
    boolean merged = model.adapter().isPresent();
    return new GgufExport(
        architecture.name(),
        type,
        type != GgufType.F32 && (merged || type != type(OutType.AUTO, model)),
        metadata,
        ModelTensors.of(architecture, model, type),
        notes);
  }

  /**
   * Describes an adapter alone, which llama.cpp puts on the file of its model.
   *
   * @param name of the adapter, for people
   * @param model with the adapter
   * @throws DpoException if llama.cpp does not compute what the model does, or the format has no
   *     form of the adapter
   */
  public static GgufExport ofAdapter(String name, StreamedModel model) {
    Architecture architecture = architecture(model);
    LoraModel adapter = model.adapter().orElseThrow().model();
    if (adapter.config().dora()
        || adapter.config().bias() != LoraConfig.Bias.NONE
        || adapter.plan().layers().stream().anyMatch(slot -> isTable(slot, model))
        || !adapter.plan().routers().isEmpty()
        || !adapter.plan().experts().isEmpty()
        || !adapter.plan().saved().isEmpty()) {
      throw new DpoException(
          OptionText.of(
              "the adapter has more than pairs of matrices of linear layers (DoRA, the embedding table and a head tied to it, experts and routers, biases or modules trained in full), for which GGUF has no form; %s",
              adapter.isMergeable()
                  ? OptionText.of("leave {adapter_only} out, which merges it")
                  : "it cannot be merged either, since it changes table and head apart; train one with ensure_weight_tying"));
    }
    GgufMetadata metadata =
        new GgufMetadata()
            .text("general.architecture", architecture.name())
            .text("general.type", "adapter")
            .text("general.name", name)
            .number("general.file_type", GgufType.F32.fileType())
            .text("adapter.type", "lora")
            .real("adapter.lora.alpha", ModelTensors.ALPHA);
    return new GgufExport(
        architecture.name(),
        GgufType.F32,
        false,
        metadata,
        ModelTensors.ofAdapter(architecture, model),
        List.of());
  }

  /** Whether a slot's matrix is an embedding table, which the head may be too. */
  private static boolean isTable(AdapterSlot slot, StreamedModel model) {
    return model.skeleton().model().parameters().tableSlots().stream()
        .anyMatch(table -> table.weight().is_same(slot.weight()));
  }

  /** llama.cpp knows by the name whether special tokens take in white space. */
  private static String named(String name, boolean strips) {
    boolean says = PHI3.matcher(name).find();
    if (strips == says) {
      return name;
    }
    return strips ? name + " (phi-3)" : PHI3.matcher(name).replaceAll("phi_3");
  }

  static Architecture architecture(StreamedModel model) {
    String type = model.config().text().modelType();
    Architecture architecture =
        Architectures.of(type)
            .orElseThrow(
                () ->
                    new DpoException(
                        "[%s] model_type \"%s\" has no form in llama.cpp that computes the same; exported are: %s"
                            .formatted(
                                model.config().file(),
                                type,
                                String.join(", ", Architectures.modelTypes()))));
    List<String> lacks = architecture.lacks(model.decoder());
    if (!lacks.isEmpty()) {
      throw new DpoException(
          "[%s] llama.cpp's architecture %s cannot compute this model exactly: it does not have %s; use the checkpoint itself"
              .formatted(model.config().file(), architecture.name(), String.join(", ", lacks)));
    }
    return architecture;
  }

  private static GgufType type(OutType wanted, StreamedModel model) {
    return switch (wanted) {
      case AUTO ->
          switch (model.checkpoint().dtype()) {
            case F16 -> GgufType.F16;
            case BF16 -> GgufType.BF16;
            case F32, F64, I64 -> GgufType.F32;
          };
      case F32 -> GgufType.F32;
      case F16 -> GgufType.F16;
      case BF16 -> GgufType.BF16;
      case Q8_0 -> GgufType.Q8_0;
    };
  }

  /**
   * The description of a model for {@code ollama create}.
   *
   * @param model name of the model's file in the same folder
   * @param adapter name of the adapter's file in the same folder; empty for none
   * @param tokenizer of the model
   * @param endIds ids that end an answer
   */
  public static String modelfile(
      String model, Optional<String> adapter, TokenizerParts tokenizer, List<Integer> endIds) {
    return OllamaModelfile.text(model, adapter, tokenizer, endIds);
  }

  /** Whether weights lose digits that the checkpoint, or the adapter on it, has. */
  public boolean rounds() {
    return rounds;
  }

  /** The name of the type of the matrices, as in {@code bf16}. */
  public String type() {
    return type.name().toLowerCase(Locale.ROOT);
  }

  /** The value of {@code general.architecture}. */
  public String architecture() {
    return architecture;
  }

  /** The number of tensors. */
  public int tensorCount() {
    return tensors.size();
  }

  /** The size of the tensors in the file, in bytes. */
  public long bytes() {
    return GgufWriter.size(tensors);
  }

  /** What differs in llama.cpp, in words. */
  public List<String> notes() {
    return notes;
  }

  /**
   * Writes the file.
   *
   * @param path for messages
   * @throws DpoException if it cannot be written, or a weight is not finite in the file's type
   */
  public void write(Path path, FileChannel channel) {
    GgufWriter.write(path, channel, metadata, tensors);
  }

  /**
   * Reads a file back and compares all keys and all elements with the model.
   *
   * @throws DpoException naming the first difference
   */
  public void verify(Path path) {
    GgufFile file = GgufFile.open(path);
    requireEqual(path, file);
    GgufTensor.Buffer buffer = new GgufTensor.Buffer();
    try {
      for (GgufTensor tensor : tensors) {
        GgufFile.Entry entry = Objects.requireNonNull(file.entries().get(tensor.name()));
        tensor.forEachPiece(
            buffer,
            "verified",
            (from, to, values, bytes) -> {
              Tensor expected = tensor.type().values(bytes);
              if (!file.rows(entry, tensor.columns(), from, to).equal(expected.view(-1))) {
                throw new DpoException(
                    "[%s] %s must have the model's values but differs from row %d on"
                        .formatted(path, tensor.name(), from));
              }
            });
      }
    } catch (IOException e) {
      throw new DpoException(
          "[%s] could not be read: %s".formatted(path, FileFailure.reason(e, path)), e);
    }
  }

  private void requireEqual(Path path, GgufFile file) {
    Map<String, Object> read = file.metadata().values();
    metadata
        .values()
        .forEach(
            (key, value) -> {
              if (!Arrays.deepEquals(new Object[] {value}, new Object[] {read.get(key)})) {
                throw new DpoException("[%s] the value of %s differs".formatted(path, key));
              }
            });
    boolean same =
        read.size() == metadata.values().size()
            && file.entries().size() == tensors.size()
            && tensors.stream()
                .allMatch(
                    tensor -> {
                      GgufFile.Entry entry = file.entries().get(tensor.name());
                      return entry != null
                          && entry.type() == tensor.type()
                          && entry.shape().equals(tensor.shape());
                    });
    if (!same) {
      throw new DpoException("[%s] the file has other keys or tensors".formatted(path));
    }
  }
}
