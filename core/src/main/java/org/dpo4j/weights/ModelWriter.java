package org.dpo4j.weights;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.data.FileFailure;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.Parameters;
import org.dpo4j.torch.ElementType;
import org.dpo4j.weights.SafetensorsWriter.Content;
import tools.jackson.databind.node.ObjectNode;

/**
 * Writes a model as a folder in the Hugging Face layout: weights under their original names, {@code
 * config.json} with all its keys, generation config and tokenizer byte for byte. The tensors of
 * other towers, as of images, are copied byte for byte too.
 *
 * <p>Existing files are never replaced. On failure, the files written so far remain: pass a folder
 * that is renamed when it is complete.
 */
public final class ModelWriter {

  private static final long MAX_SHARD_BYTES = 5_000_000_000L;

  private final long maxShardBytes;

  /** A writer of weight files of at most 5 GB. */
  public ModelWriter() {
    this(MAX_SHARD_BYTES);
  }

  /**
   * A writer with another limit.
   *
   * @param maxShardBytes maximum size of a weight file without its header; a larger tensor gets a
   *     file of its own
   */
  public ModelWriter(long maxShardBytes) {
    this.maxShardBytes = maxShardBytes;
  }

  /**
   * Writes a model.
   *
   * @param folder created if it does not exist
   * @param source the model that training started from: provides names, config and tokenizer
   * @param model the weights to be written, as {@link CausalLm#effective} gives them
   * @param type of the saved weights: F32, F16, BF16 or F64
   * @throws DpoException if a file exists or cannot be written, or a weight is not finite in {@code
   *     type}
   */
  public void write(Path folder, LoadedModel source, CausalLm model, ElementType type) {
    if (type == ElementType.I64) {
      throw new IllegalArgumentException("weights are not saved as integers");
    }
    try {
      Files.createDirectories(folder);
      Files.writeString(
          folder.resolve(ModelFolder.CONFIG),
          Json.pretty(config(source.config(), type)),
          StandardOpenOption.CREATE_NEW);
      copyTokenizer(source.folder(), folder);
      copy(ModelFolder.GENERATION_CONFIG, source.folder(), folder);
      writeWeights(folder, contents(source, model, type));
    } catch (IOException e) {
      throw new DpoException(
          "["
              + FileFailure.file(e, folder)
              + "] could not be written: "
              + FileFailure.reason(e, FileFailure.file(e, folder)),
          e);
    }
  }

  private static ObjectNode config(HuggingFaceConfig source, ElementType type) {
    ObjectNode config = source.copy();
    config.remove("_name_or_path"); // the path of the source, not of this model
    boolean older = config.has("torch_dtype");
    setType(config, type);
    if (!older) {
      config.put("dtype", type.torchName());
    }
    if (config.get(HuggingFaceConfig.TEXT) instanceof ObjectNode text) {
      setType(text, type);
    }
    return config;
  }

  private static void setType(ObjectNode config, ElementType type) {
    for (String key : List.of("torch_dtype", "dtype")) {
      if (config.has(key)) {
        config.put(key, type.torchName());
      }
    }
  }

  /** Copies the tokenizer files byte for byte. */
  static void copyTokenizer(ModelFolder source, Path folder) throws IOException {
    List<String> names = new ArrayList<>(ModelFolder.TOKENIZER_FILES);
    Path templates = source.path().resolve(ModelFolder.CHAT_TEMPLATES);
    if (Files.isDirectory(templates)) {
      Files.createDirectories(folder.resolve(ModelFolder.CHAT_TEMPLATES));
      try (Stream<Path> files = Files.list(templates)) {
        files.forEach(file -> names.add(ModelFolder.CHAT_TEMPLATES + "/" + file.getFileName()));
      }
    }
    for (String name : names) {
      copy(name, source, folder);
    }
  }

  private static void copy(String name, ModelFolder source, Path folder) throws IOException {
    if (source.find(name).isPresent()) {
      // Copies bytes without permissions: the copy of a read-only file must be writable.
      Files.write(folder.resolve(name), Files.readAllBytes(source.path().resolve(name)));
    }
  }

  /**
   * What is in the files by name: the weights, a stored copy of a tied head, and the other towers.
   */
  private static Map<String, Content> contents(
      LoadedModel source, CausalLm model, ElementType type) {
    Map<String, Content> contents = new TreeMap<>();
    named(source.names(), model)
        .forEach(
            (name, parameter) ->
                contents.put(
                    name,
                    Content.of(
                        parameter.tensor().shape(), () -> model.effective(parameter), type)));
    source
        .checkpoint()
        .otherTowers()
        .forEach((name, file) -> contents.put(name, Content.of(file, name)));
    return contents;
  }

  private static Map<String, Parameters.Parameter> named(WeightNames names, CausalLm model) {
    Map<String, Parameters.Parameter> byModelName = new TreeMap<>();
    Map<String, Parameters.Parameter> byFileName = new TreeMap<>();
    for (Parameters.Parameter parameter : model.parameters().all()) {
      byModelName.put(parameter.name(), parameter);
      byFileName.put(names.nameInFile(parameter.name()), parameter);
    }
    names
        .copies()
        .forEach(
            (copy, original) -> {
              Parameters.Parameter parameter = byModelName.get(original);
              if (parameter != null) {
                byFileName.put(copy, parameter);
              }
            });
    return byFileName;
  }

  private void writeWeights(Path folder, Map<String, Content> contents) throws IOException {
    List<Map<String, Content>> shards = split(contents);
    if (shards.size() == 1) {
      SafetensorsWriter.write(folder.resolve(Checkpoint.SINGLE), shards.get(0), Map.of());
      return;
    }
    ObjectNode index = Json.STRICT.createObjectNode();
    index
        .putObject("metadata")
        .put("total_parameters", contents.values().stream().mapToLong(Content::elements).sum())
        .put("total_size", contents.values().stream().mapToLong(Content::bytes).sum());
    Map<String, String> shardOf = new TreeMap<>();
    for (int i = 0; i < shards.size(); i++) {
      String file =
          String.format(Locale.ROOT, "model-%05d-of-%05d.safetensors", i + 1, shards.size());
      SafetensorsWriter.write(folder.resolve(file), shards.get(i), Map.of());
      shards.get(i).keySet().forEach(name -> shardOf.put(name, file));
    }
    ObjectNode map = index.putObject("weight_map");
    shardOf.forEach(map::put);
    Files.writeString(
        folder.resolve(Checkpoint.INDEX), Json.pretty(index), StandardOpenOption.CREATE_NEW);
  }

  /** Assigns tensors to shards in the order of names. */
  private List<Map<String, Content>> split(Map<String, Content> contents) {
    List<Map<String, Content>> shards = new ArrayList<>();
    Map<String, Content> shard = new TreeMap<>();
    long bytes = 0;
    for (Map.Entry<String, Content> entry : contents.entrySet()) {
      long more = entry.getValue().bytes();
      if (!shard.isEmpty() && bytes + more > maxShardBytes) {
        shards.add(shard);
        shard = new TreeMap<>();
        bytes = 0;
      }
      shard.put(entry.getKey(), entry.getValue());
      bytes += more;
    }
    shards.add(shard);
    return shards;
  }
}
