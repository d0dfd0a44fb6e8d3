package org.dpo4j.weights;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.data.BoundedJson;
import org.dpo4j.data.FileFailure;
import org.dpo4j.options.BoundedFile;
import org.dpo4j.options.Limit;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A folder in the Hugging Face layout.
 *
 * @param path exists and is a folder
 */
public record ModelFolder(Path path) {

  private static final String TOKENIZER = "tokenizer.json";

  /** Files of tokenizers and of what prepares images; copied unchanged when a model is saved. */
  static final List<String> TOKENIZER_FILES =
      List.of(
          TOKENIZER,
          "tokenizer_config.json",
          "special_tokens_map.json",
          "added_tokens.json",
          "vocab.json",
          "merges.txt",
          "tokenizer.model",
          "chat_template.jinja",
          "chat_template.json",
          "preprocessor_config.json",
          "processor_config.json",
          "video_preprocessor_config.json");

  private static final String CHAT_TEMPLATE = "chat_template";
  static final String CHAT_TEMPLATES = "additional_chat_templates";
  static final String CONFIG = "config.json";
  static final String GENERATION_CONFIG = "generation_config.json";

  /** Patterns of the paths of all files that are read, in a model's folder or in an adapter's. */
  public static final List<String> PATTERNS =
      Stream.concat(
              TOKENIZER_FILES.stream(),
              Stream.of(
                  CONFIG,
                  GENERATION_CONFIG,
                  Checkpoint.SINGLE,
                  Checkpoint.INDEX,
                  "model-*-of-*.safetensors",
                  PeftAdapter.CONFIG,
                  Checkpoint.ADAPTER,
                  CHAT_TEMPLATES + "/*.jinja"))
          .toList();

  /**
   * Checks a folder that a user named.
   *
   * @param option the option that named it, without dashes
   * @throws UsageException if there is no such folder
   */
  public static ModelFolder of(String option, Path path) {
    if (Files.isDirectory(path)) {
      return new ModelFolder(path);
    }
    if (Files.exists(path)) {
      throw new UsageException(option, "must be a model folder", path + " is a file", "");
    }
    String text = path.toString().replace('\\', '/');
    String download =
        HubName.hasOwner(text)
            ? OptionText.of(
                "if it is a model on the Hugging Face hub, download it first:"
                    + " ./dpo4j download %s --output_dir DIR, then {%s} DIR",
                text, option)
            : "";
    throw new UsageException(option, "must be a model folder", path + " does not exist", download);
  }

  /**
   * The config.
   *
   * @throws DpoException if there is none
   */
  public HuggingFaceConfig config() {
    require(CONFIG, "it is not a model folder in the Hugging Face layout");
    return HuggingFaceConfig.read(path.resolve(CONFIG));
  }

  /**
   * The tokenizer's file.
   *
   * @throws DpoException if there is none
   */
  public Path tokenizer() {
    require(
        TOKENIZER,
        "save it in Python: AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)");
    return path.resolve(TOKENIZER);
  }

  /** Whether it holds a configuration and weights. */
  public boolean isModel() {
    return find(CONFIG).isPresent()
        && (find(Checkpoint.SINGLE).isPresent() || find(Checkpoint.INDEX).isPresent());
  }

  /** Whether it holds a LoRA adapter. */
  public boolean isAdapter() {
    return find(PeftAdapter.CONFIG).isPresent() && find(Checkpoint.ADAPTER).isPresent();
  }

  /** A file that may be absent. */
  Optional<Path> find(String name) {
    Path file = path.resolve(name);
    return Files.isRegularFile(file) ? Optional.of(file) : Optional.empty();
  }

  /** Size of the files that are copied when a model is saved, in bytes. */
  public long copiedBytes() {
    return TOKENIZER_FILES.stream()
        .map(this::find)
        .flatMap(Optional::stream)
        .mapToLong(file -> file.toFile().length())
        .sum();
  }

  /**
   * Puts a tokenizer into a folder in place of the one in it.
   *
   * @param json in UTF-8
   * @throws DpoException if the file cannot be written
   */
  public static void replaceTokenizer(Path folder, byte[] json) {
    try {
      Files.write(folder.resolve(TOKENIZER), json);
    } catch (IOException e) {
      throw new DpoException(
          "[%s] the tokenizer could not be written: %s".formatted(folder, FileFailure.reason(e)),
          e);
    }
  }

  /**
   * Puts a chat template into a folder in place of those in it, as {@code save_pretrained} of
   * transformers does.
   *
   * @throws DpoException if a file cannot be written
   */
  public static void replaceChatTemplate(Path folder, String template) {
    Path config = folder.resolve("tokenizer_config.json");
    try {
      Files.writeString(folder.resolve(CHAT_TEMPLATE + ".jinja"), template);
      Files.deleteIfExists(folder.resolve(CHAT_TEMPLATE + ".json"));
      if (Files.isDirectory(folder.resolve(CHAT_TEMPLATES))) {
        try (Stream<Path> others = Files.list(folder.resolve(CHAT_TEMPLATES))) {
          for (Path other : others.toList()) {
            Files.delete(other);
          }
        }
        Files.delete(folder.resolve(CHAT_TEMPLATES));
      }
      if (Files.isRegularFile(config)) {
        JsonNode settings =
            BoundedJson.LENIENT.readTree(BoundedFile.bytes(config, Limit.CONFIG_BYTES));
        if (settings instanceof ObjectNode object && object.remove(CHAT_TEMPLATE) != null) {
          Files.writeString(config, Json.pretty(object));
        }
      }
    } catch (IOException e) {
      throw new DpoException(
          "[%s] the chat template could not be written: %s"
              .formatted(folder, FileFailure.reason(e)),
          e);
    }
  }

  private void require(String name, String otherwise) {
    if (find(name).isEmpty()) {
      throw new DpoException("[" + path + "] has no " + name + "; " + otherwise);
    }
  }
}
