package org.dpo4j.weights;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.dpo4j.data.FileFailure;
import org.dpo4j.model.AdapterSlot;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.Parameters;
import org.dpo4j.model.lora.LoraConfig;
import org.dpo4j.model.lora.LoraModel;
import org.dpo4j.model.lora.LoraPlan;
import org.dpo4j.model.lora.LoraSettingException;
import org.dpo4j.model.lora.TargetModules;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import tools.jackson.databind.node.ObjectNode;

/**
 * A LoRA adapter on a loaded model, and its form on disk: {@code adapter_config.json} and {@code
 * adapter_model.safetensors} in PEFT's layout. A weight is called {@code base_model.model.<its
 * path>}, in some files with the adapter's name before {@code .weight}.
 */
public final class PeftAdapter implements AutoCloseable {

  /** The file that identifies an adapter's folder. */
  public static final String CONFIG = PeftConfig.FILE;

  private static final String PREFIX = "base_model.model.";

  /** PEFT's name of the layer under an adapter. */
  private static final String BASE_LAYER = ".base_layer";

  /** The original of a module that is trained in full, which PEFT stores beside biases. */
  private static final String ORIGINAL = ".original_module.";

  private static final WeightRules RULES =
      new WeightRules(
          Map.of(),
          Pattern.compile(".*\\.(base_layer|original_module)\\.[^.]+"),
          Optional.empty(),
          Set.of());

  /**
   * The SHA-256 of the base model's weights, in the header of the weight file: PEFT would warn of
   * an unknown key in {@link #CONFIG} but ignores metadata.
   */
  private static final String BASE_SHA256 = "base_model_sha256";

  private static final String BASE_NAME = "base_model_name_or_path";

  private final LoraModel model;
  private final ObjectNode json;
  private final Optional<String> baseSha256;

  private PeftAdapter(LoraModel model, ObjectNode json, Optional<String> baseSha256) {
    this.model = model;
    this.json = json;
    this.baseSha256 = baseSha256;
  }

  /**
   * Reads an adapter and attaches it to a model.
   *
   * @param option that names the folder, for messages
   * @param base remains the caller's
   * @throws UsageException if there is no such folder
   * @throws DpoException if config and weights do not describe a supported adapter of this model;
   *     all weights that do not match are listed
   */
  public static PeftAdapter open(String option, Path folder, LoadedModel base) {
    HuggingFaceConfig json = json(option, folder);
    Path file = json.file();
    LoraConfig config = PeftConfig.read(json, base.config().modelType(), base.linearLayers());
    Checkpoint checkpoint = Checkpoint.openAdapter(folder);
    try (StrictLoad load =
        StrictLoad.wide(
            checkpoint,
            rules(config, base),
            "%s and the weights must be of one adapter, and of the model in %s"
                .formatted(CONFIG, base.folder().path()))) {
      ParameterSource source =
          (name, kind, shape) -> load.take(nameInFile(checkpoint, name), kind, shape);
      LoraModel model = model(base, config, source, "[" + file + "] ");
      try {
        Set<String> read = Set.copyOf(load.finish().inFile().values());
        requireUnchangedBase(checkpoint, read, base);
        requireTied(checkpoint, model);
      } catch (DpoException e) {
        model.close();
        throw e;
      }
      return new PeftAdapter(model, json.copy(), checkpoint.metadata(BASE_SHA256));
    }
  }

  /** PEFT stores what it ties under the head's path too. */
  private static WeightRules rules(LoraConfig config, LoadedModel base) {
    AdapterSlot head = base.model().head().slot();
    boolean ties = config.savesTied() || config.adaptsTied();
    if (head == null || !ties || LoraPlan.tiedTable(base.model()) == null) {
      return RULES;
    }
    Pattern copies =
        Pattern.compile(
            RULES.buffers()
                + "|"
                + Pattern.quote(PREFIX + head.path())
                + (config.adaptsTied() ? "(\\.lora_[AB])?" : "(\\.modules_to_save)?")
                + "(\\.default)?\\.weight");
    return new WeightRules(Map.of(), copies, Optional.empty(), Set.of());
  }

  private static void requireTied(Checkpoint checkpoint, LoraModel model) {
    try (TensorScope scope = TensorScope.open()) {
      model
          .copiesAtTiedHead()
          .forEach(
              (name, expected) -> {
                String stored = nameInFile(checkpoint, name);
                if (checkpoint.has(stored) && !values(checkpoint, stored).equal(expected.cpu())) {
                  throw new DpoException(
                      "[%s] weights: %s must be what the embedding table has, which ensure_weight_tying ties it to, but differs; PEFT leaves the two apart on models in 16 bits"
                          .formatted(checkpoint.folder(), stored));
                }
              });
    }
  }

  /** PEFT would replace the model's weights by these; here they must be equal. */
  private static void requireUnchangedBase(
      Checkpoint checkpoint, Set<String> read, LoadedModel base) {
    for (String stored : checkpoint.names()) {
      if (!RULES.isBuffer(stored) || read.contains(stored) || stored.contains(ORIGINAL)) {
        continue;
      }
      String name = inModel(stored.replace(BASE_LAYER, "").substring(PREFIX.length()), base);
      boolean same =
          base.names().inFile().containsKey(name)
              && holds(checkpoint, stored, base.checkpoint(), base.names().nameInFile(name));
      if (!same) {
        throw new DpoException(
            "[%s] weights: %s differs from %s of the model in %s; the adapter must be of this model"
                .formatted(checkpoint.folder(), stored, name, base.folder().path()));
      }
    }
  }

  /** The name of a weight in the model, where a tied head is the embedding table. */
  private static String inModel(String name, LoadedModel base) {
    AdapterSlot head = base.model().head().slot();
    AdapterSlot table = LoraPlan.tiedTable(base.model());
    return head != null && table != null && name.equals(head.path() + ".weight")
        ? table.path() + ".weight"
        : name;
  }

  private static boolean holds(
      Checkpoint checkpoint, String name, Checkpoint base, String expected) {
    if (!checkpoint.entry(name).floating()
        || !checkpoint.entry(name).shape().equals(base.entry(expected).shape())) {
      return false;
    }
    try (TensorScope scope = TensorScope.open()) {
      return values(checkpoint, name).equal(values(base, expected));
    }
  }

  private static Tensor values(Checkpoint checkpoint, String name) {
    long[] shape = checkpoint.entry(name).shape().stream().mapToLong(Long::longValue).toArray();
    Tensor values = Tensors.empty(ElementType.F32, shape);
    checkpoint.copyTo(name, values);
    return values;
  }

  /**
   * The base model named by an adapter: a path or a hub name.
   *
   * @param option that names the folder, for messages
   * @throws UsageException if there is no such folder
   */
  public static Optional<String> baseName(String option, Path folder) {
    return Optional.of(json(option, folder).text(BASE_NAME, "")).filter(name -> !name.isBlank());
  }

  /**
   * The configuration of an adapter in a folder.
   *
   * @param option that names the folder, for messages
   * @param modelType model type of the base model
   * @param linears names of its linear layers, for messages
   * @throws UsageException if there is no such folder
   * @throws DpoException if the adapter is not supported
   */
  public static LoraConfig config(
      String option, Path folder, String modelType, Collection<String> linears) {
    return PeftConfig.read(json(option, folder), modelType, linears);
  }

  private static HuggingFaceConfig json(String option, Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new UsageException(option, "must be a folder", folder + " is none", "");
    }
    Path file = folder.resolve(CONFIG);
    if (Files.notExists(file)) {
      throw new DpoException(
          "[" + folder + "] has no " + CONFIG + "; it is not an adapter's folder");
    }
    return HuggingFaceConfig.read(file);
  }

  private static LoraModel model(
      LoadedModel base, LoraConfig config, ParameterSource source, String place) {
    try {
      return new LoraModel(base.model(), config, source);
    } catch (LoraSettingException e) {
      throw new DpoException(place + e.getMessage() + "; the adapter must be of this model", e);
    }
  }

  /** The name without the adapter's name, or with it if only that exists. */
  private static String nameInFile(Checkpoint checkpoint, String name) {
    String plain = PREFIX + name;
    int dot = plain.lastIndexOf('.');
    if (name.contains(LoraModel.OF_TABLE)) {
      return checkpoint.has(plain) ? plain : plain + ".default";
    }
    if (name.endsWith(LoraModel.MAGNITUDES)) {
      return Stream.of(plain, plain + ".weight", plain + ".default.weight", plain + ".default")
          .filter(checkpoint::has)
          .findFirst()
          .orElse(plain);
    }
    for (String before :
        new String[] {BASE_LAYER, ".default", ".modules_to_save", ".modules_to_save.default"}) {
      String named = plain.substring(0, dot) + before + plain.substring(dot);
      if (!checkpoint.has(plain) && checkpoint.has(named)) {
        return named;
      }
    }
    return plain;
  }

  /**
   * Attaches a new adapter to a model, whose output it does not change yet; its weights are drawn
   * at random.
   *
   * @param base remains the caller's
   * @param random the source of its initial weights
   * @throws DpoException if the configuration does not fit the model; the message begins with
   *     PEFT's name of the setting
   */
  public static PeftAdapter create(LoraConfig config, LoadedModel base, RandomNumbers random) {
    LoraModel model = new LoraModel(base.model(), config, LoraModel.fresh(base.model(), random));
    try {
      model.plan().requireAllUsed(config, base.model());
    } catch (DpoException e) {
      model.close();
      throw e;
    }
    boolean wholePaths =
        !base.checkpoint().otherTowers().isEmpty()
            || (config.layers().targets() instanceof TargetModules.AllLinear
                && model.plan().sharesNames(base.model().parameters()));
    return new PeftAdapter(
        model,
        PeftConfig.write(config, model.plan(), base.folder().path(), wholePaths),
        Optional.empty());
  }

  /**
   * PEFT's default targets of a family.
   *
   * @param linears names of the model's linear layers, for the message
   * @param parameters the {@code target_parameters}; with these no other target is needed
   * @throws DpoException if it has none and none are given
   */
  public static TargetModules defaultTargets(
      String modelType, Collection<String> linears, List<String> parameters) {
    return PeftConfig.defaultTargets(modelType, linears, parameters);
  }

  /**
   * Targets from one text, as PEFT reads it: {@code all-linear} or a regular expression.
   *
   * @throws java.util.regex.PatternSyntaxException if it is neither
   */
  public static TargetModules targets(String text) {
    return PeftConfig.targets(text);
  }

  /**
   * Layers that are left out, from one text, as PEFT reads it: a regular expression.
   *
   * @throws java.util.regex.PatternSyntaxException if it is none
   */
  public static TargetModules excluded(String text) {
    return PeftConfig.excluded(text);
  }

  /** The model with the adapter; training changes only the adapter. */
  public LoraModel model() {
    return model;
  }

  /**
   * The SHA-256 of the weights of the model that the adapter was trained on, as {@link
   * Checkpoint#sha256} gives it; empty unless this program wrote the adapter.
   */
  public Optional<String> baseSha256() {
    return baseSha256;
  }

  /** The name or path of the base model in the config. */
  public Optional<String> baseName() {
    String name = json.path(BASE_NAME).asString("");
    return name.isBlank() ? Optional.empty() : Optional.of(name);
  }

  /** Keys of the config that PEFT 0.21 does not know and that are not null, false or empty. */
  public List<String> unknownKeys() {
    return PeftConfig.unknownKeys(json);
  }

  /**
   * Writes the adapter with the hash of its model's weights, and the tokenizer of its model byte
   * for byte. Existing files are never replaced.
   *
   * @param folder must exist
   * @param type of the saved weights
   * @throws DpoException if a file exists or cannot be written, or a weight is not finite in {@code
   *     type}
   */
  public void write(Path folder, LoadedModel base, ElementType type) {
    Map<String, Tensor> tensors = new TreeMap<>();
    for (Parameters.Parameter parameter : model.trained().all()) {
      tensors.put(nameInFile(parameter.name()), parameter.tensor());
    }
    ObjectNode config = json.deepCopy().put("inference_mode", true);
    try {
      Files.writeString(folder.resolve(CONFIG), Json.pretty(config), StandardOpenOption.CREATE_NEW);
      ModelWriter.copyTokenizer(base.folder(), folder);
    } catch (IOException e) {
      throw new DpoException(
          "["
              + FileFailure.file(e, folder)
              + "] could not be written: "
              + FileFailure.reason(e, FileFailure.file(e, folder)),
          e);
    }
    try (TensorScope scope = TensorScope.open()) {
      model.copiesAtTiedHead().forEach((name, tensor) -> tensors.put(PREFIX + name, tensor));
      SafetensorsWriter.write(
          folder.resolve(Checkpoint.ADAPTER),
          tensors,
          type,
          Map.of(BASE_SHA256, base.checkpoint().sha256()));
    }
  }

  /** The name of a trained weight in the file. */
  String nameInFile(String name) {
    String layer = model.plan().layerOfBias(name);
    return PREFIX + (layer == null ? name : layer + BASE_LAYER + ".bias");
  }

  /** Detaches the adapter from its model and frees it. */
  @Override
  public void close() {
    model.close();
  }
}
