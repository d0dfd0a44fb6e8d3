package org.dpo4j.weights;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.data.Sha256;
import org.dpo4j.options.Limit;
import org.dpo4j.torch.ElementType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * The weights of a model folder: {@code model.safetensors}, or shards that {@code
 * model.safetensors.index.json} lists. All headers, and the index against them, are checked when it
 * is opened; no file stays open.
 */
public final class Checkpoint {

  static final String SINGLE = "model.safetensors";
  static final String INDEX = "model.safetensors.index.json";
  static final String ADAPTER = "adapter_model.safetensors";

  private final Path folder;
  private final Map<String, SafetensorsFile> fileOf;
  private final Map<String, SafetensorsFile> otherTowers;
  private @Nullable String sha256;

  private Checkpoint(Path folder, Map<String, SafetensorsFile> fileOf) {
    this(folder, fileOf, Map.of());
  }

  private Checkpoint(
      Path folder, Map<String, SafetensorsFile> fileOf, Map<String, SafetensorsFile> otherTowers) {
    this.folder = folder;
    this.fileOf = fileOf;
    this.otherTowers = otherTowers;
  }

  /**
   * Opens the weights of a folder.
   *
   * @throws DpoException if there are none in a supported format, a file is damaged, or the index
   *     contradicts the shards (all differences are listed)
   */
  public static Checkpoint open(Path folder) {
    Map<String, SafetensorsFile> fileOf = new TreeMap<>();
    if (Files.exists(folder.resolve(SINGLE))) {
      SafetensorsFile file = SafetensorsFile.open(folder.resolve(SINGLE));
      file.names().forEach(name -> fileOf.put(name, file));
    } else if (Files.exists(folder.resolve(INDEX))) {
      fileOf.putAll(shards(folder));
    } else {
      throw new DpoException("[" + folder + "] " + whatIsThere(folder));
    }
    return new Checkpoint(folder, fileOf);
  }

  /**
   * Opens the weights of an adapter's folder.
   *
   * @throws DpoException if there are none in a supported format, or the file is damaged
   */
  public static Checkpoint openAdapter(Path folder) {
    if (Files.notExists(folder.resolve(ADAPTER))) {
      throw new DpoException(
          "["
              + folder
              + "] has no "
              + ADAPTER
              + (Files.exists(folder.resolve("adapter_model.bin"))
                  ? "; adapter_model.bin can run code when it is loaded and is not read here, so save"
                      + " the adapter again in Python with PEFT 0.7 or later"
                  : "; it holds no adapter's weights"));
    }
    SafetensorsFile file = SafetensorsFile.open(folder.resolve(ADAPTER));
    Map<String, SafetensorsFile> fileOf = new TreeMap<>();
    file.names().forEach(name -> fileOf.put(name, file));
    return new Checkpoint(folder, fileOf);
  }

  private static String whatIsThere(Path folder) {
    if (Files.exists(folder.resolve("pytorch_model.bin"))
        || Files.exists(folder.resolve("pytorch_model.bin.index.json"))) {
      return "has its weights as pytorch_model.bin, which can run code when it is loaded and is not"
          + " read here; convert it in Python: AutoModelForCausalLM.from_pretrained(FOLDER)"
          + ".save_pretrained(FOLDER)";
    }
    Optional<String> pickle = pickle(folder);
    if (pickle.isPresent()) {
      return "has no "
          + SINGLE
          + " but "
          + pickle.get()
          + ", which can run code when it is loaded and is not read here; convert it with the tools"
          + " of the model's author, or in Python: AutoModelForCausalLM.from_pretrained(FOLDER)"
          + ".save_pretrained(FOLDER)";
    }
    if (Files.exists(folder.resolve(ADAPTER))) {
      return "has an adapter but no model weights; name the folder of the model that it adapts";
    }
    return "has no weights: there must be " + SINGLE + " or " + INDEX;
  }

  /**
   * A file in one of PyTorch's formats, which are Python pickles; those of a trainer hold no
   * weights.
   */
  private static Optional<String> pickle(Path folder) {
    try (Stream<Path> files = Files.isDirectory(folder) ? Files.list(folder) : Stream.empty()) {
      return files
          .map(file -> String.valueOf(file.getFileName()))
          .filter(name -> name.matches(".*\\.(bin|pt|pth|ckpt|pkl)"))
          .filter(name -> !name.matches("(training_args|optimizer|scheduler|scaler|rng_state).*"))
          .sorted()
          .findFirst();
    } catch (IOException e) {
      return Optional.empty(); // the folder is read again for its weights
    }
  }

  private static Map<String, SafetensorsFile> shards(Path folder) {
    Path index = folder.resolve(INDEX);
    JsonNode map = HuggingFaceConfig.tree(index, Limit.INDEX_BYTES).path("weight_map");
    if (!map.isObject() || map.isEmpty()) {
      throw new DpoException("[" + index + "] must have a \"weight_map\" of names to files");
    }
    Map<String, SafetensorsFile> files = new LinkedHashMap<>();
    Map<String, SafetensorsFile> fileOf = new TreeMap<>();
    List<String> problems = new ArrayList<>();
    for (Map.Entry<String, JsonNode> property : map.properties()) {
      String name = property.getKey();
      SafetensorsFile file =
          files.computeIfAbsent(
              shardName(index, name, property.getValue()), f -> shard(index, folder, f));
      if (!file.has(name)) {
        problems.add(name + " is not in " + file.path().getFileName());
      }
      fileOf.put(name, file);
    }
    for (SafetensorsFile file : files.values()) {
      for (String name : file.names()) {
        SafetensorsFile listed = fileOf.get(name);
        if (listed == null) {
          problems.add(name + " in " + file.path().getFileName() + " is not listed");
        } else if (listed != file) {
          problems.add(name + " is listed elsewhere and also in " + file.path().getFileName());
        }
      }
    }
    if (!problems.isEmpty()) {
      throw new DpoException(
          "[" + index + "] must list each tensor of each shard once: " + StrictLoad.list(problems));
    }
    return fileOf;
  }

  private static String shardName(Path index, String name, JsonNode node) {
    String file = node.isString() ? node.stringValue() : "";
    // A plain name cannot leave the folder on any system.
    if (file.isEmpty() || file.contains("/") || file.contains("\\") || file.contains(":")) {
      throw new DpoException(
          "["
              + index
              + "] \"weight_map\" must name files in the same folder but \""
              + name
              + "\" is in "
              + node);
    }
    return file;
  }

  private static SafetensorsFile shard(Path index, Path folder, String file) {
    Path path = folder.resolve(file);
    if (!Files.isRegularFile(path)) {
      throw new DpoException(
          "[" + index + "] lists " + file + ", which is missing; copy or download it");
    }
    return SafetensorsFile.open(path);
  }

  /** The same with the tensors of other towers apart. */
  Checkpoint of(WeightRules rules) {
    Map<String, SafetensorsFile> own = new TreeMap<>(fileOf);
    Map<String, SafetensorsFile> others = new TreeMap<>(fileOf);
    own.keySet().removeIf(rules::isOfOtherTower);
    others.keySet().removeAll(own.keySet());
    return new Checkpoint(folder, own, others);
  }

  public Path folder() {
    return folder;
  }

  /**
   * The files of tensors that are not of the text model, by the tensors' names, sorted. They are in
   * none of the other methods but the hash, and are copied where the model is saved.
   */
  Map<String, SafetensorsFile> otherTowers() {
    return otherTowers;
  }

  /** The size of the tensors that are not of the text model, in bytes. */
  public long otherTowerBytes() {
    return otherTowers.entrySet().stream()
        .map(other -> other.getValue().entry(other.getKey()))
        .mapToLong(TensorEntry::bytes)
        .sum();
  }

  /** Names of all tensors, sorted. */
  public List<String> names() {
    return new ArrayList<>(fileOf.keySet());
  }

  public boolean has(String name) {
    return fileOf.containsKey(name);
  }

  public TensorEntry entry(String name) {
    return file(name).entry(name);
  }

  /** A metadata entry of the files' headers; empty if no file has it. */
  Optional<String> metadata(String name) {
    return fileOf.values().stream()
        .map(file -> file.metadata().get(name))
        .filter(Objects::nonNull)
        .findFirst();
  }

  /** Copies a tensor's elements as {@link SafetensorsFile#copyTo} does. */
  public void copyTo(String name, Tensor target) {
    file(name).copyTo(name, target);
  }

  /** The most frequent floating type by number of elements; fp32 if there is none. */
  public ElementType dtype() {
    Map<ElementType, Long> elements = new EnumMap<>(ElementType.class);
    for (String name : names()) {
      TensorEntry entry = entry(name);
      if (entry.floating()) {
        elements.merge(entry.elementType().orElseThrow(), entry.elements(), Long::sum);
      }
    }
    return elements.entrySet().stream()
        .max(Comparator.comparingLong(Map.Entry::getValue))
        .map(Map.Entry::getKey)
        .orElse(ElementType.F32);
  }

  /**
   * The SHA-256 of the weight files, concatenated in the order of their names, in lower-case hex:
   * for a single file, what {@code sha256sum} prints. Computed once.
   */
  public String sha256() {
    String known = sha256;
    if (known != null) {
      return known;
    }
    MessageDigest digest = Sha256.digest();
    Stream.concat(fileOf.values().stream(), otherTowers.values().stream())
        .distinct()
        .sorted(Comparator.comparing(SafetensorsFile::path))
        .forEach(file -> file.digestInto(digest));
    String computed = HexFormat.of().formatHex(digest.digest());
    sha256 = computed;
    return computed;
  }

  /** The file that contains a tensor. */
  SafetensorsFile file(String name) {
    SafetensorsFile file = fileOf.get(name);
    if (file == null) {
      throw new DpoException("[" + folder + "] has no tensor named \"" + name + "\"");
    }
    return file;
  }
}
