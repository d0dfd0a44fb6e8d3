package org.dpo4j.weights;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.function.Predicate;
import org.dpo4j.DpoException;
import org.dpo4j.data.FileFailure;
import org.dpo4j.options.BoundedFile;
import org.dpo4j.options.Limit;
import org.dpo4j.torch.ElementType;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A {@code config.json}, read key by key. An absent or null key has the fallback value, if there is
 * one; a value of the wrong type is an error that names file, key, rule and value.
 */
public final class HuggingFaceConfig {

  /** Common keys that change no number, here or in transformers: names, dropout, caches. */
  private static final Set<String> WITHOUT_EFFECT =
      Set.of(
          "_attn_implementation",
          "_attn_implementation_autoset",
          "_flash_attn_2_enabled",
          "_name_or_path",
          "_num_labels",
          "architectures", // checked by name
          "attention_dropout",
          "attn_implementation",
          "attn_pdrop",
          "auto_map",
          "bos_token_id",
          "classifier_dropout",
          "dtype",
          "embd_pdrop",
          "eos_token_id",
          "finetuning_task",
          "gradient_checkpointing",
          "hidden_dropout",
          "id2label",
          "initializer_range",
          "is_llama_config",
          "label2id",
          "max_sequence_length",
          "max_window_layers",
          "model_type",
          "n_ctx",
          "n_special",
          "num_labels",
          "output_past",
          "predict_special_tokens",
          "original_max_position_embeddings",
          "pad_token_id", // GPT-2 does not use it
          "pretraining_tp",
          "problem_type",
          "resid_pdrop",
          "return_dict",
          "summary_activation",
          "summary_first_dropout",
          "summary_proj_to_labels",
          "summary_type",
          "summary_use_proj",
          "task_specific_params",
          "tokenizer_class",
          "torch_dtype",
          "transformers.js_config",
          "transformers_version",
          "unsloth_fixed",
          "unsloth_version",
          "use_cache");

  /** The section of the text model in a model of text and images. */
  static final String TEXT = "text_config";

  /** Far above any model; a product of two such sizes and a few thousand blocks fits a long. */
  static final int LARGEST_SIZE = 1 << 22;

  /** Each block becomes an object before any weight is read. */
  static final int MOST_LAYERS = 10_000;

  /** Marks an object of which no key is looked at. */
  private static final String ALL_OF_IT = ".*";

  private final Path file;
  private final String section; // "" or the name of this nested object, with a dot
  private final ObjectNode tree;
  private final Set<String> asked; // keys that were read, including those of nested objects

  private HuggingFaceConfig(Path file, String section, ObjectNode tree, Set<String> asked) {
    this.file = file;
    this.section = section;
    this.tree = tree;
    this.asked = asked;
  }

  /**
   * Reads a file.
   *
   * @throws DpoException if it is missing or not one JSON object
   */
  public static HuggingFaceConfig read(Path file) {
    return new HuggingFaceConfig(file, "", tree(file), ConcurrentHashMap.newKeySet());
  }

  /** The file's JSON object. */
  static ObjectNode tree(Path file) {
    return tree(file, Limit.CONFIG_BYTES);
  }

  /** The JSON object of a file of at most this size. */
  static ObjectNode tree(Path file, Limit limit) {
    JsonNode node;
    try {
      node = Json.STRICT.readTree(BoundedFile.bytes(file, limit));
    } catch (IOException e) {
      throw new DpoException("[" + file + "] could not be read: " + FileFailure.reason(e, file), e);
    } catch (JacksonException e) {
      throw new DpoException("[" + file + "] is not valid JSON: " + Json.why(e), e);
    }
    if (!(node instanceof ObjectNode object)) {
      throw new DpoException("[" + file + "] must be a JSON object");
    }
    return object;
  }

  public Path file() {
    return file;
  }

  /**
   * The {@code model_type}. A Mistral with layer types is a Ministral, as in transformers, unless
   * the class is named, which TRL builds.
   */
  public String modelType() {
    String type = text("model_type", Optional.empty());
    boolean ministral =
        type.equals("mistral")
            && section.isEmpty()
            && has(DecoderKeys.LAYER_TYPES)
            && !architecture().equals("MistralForCausalLM");
    return ministral ? "ministral" : type;
  }

  /** The first class under {@code architectures}; empty for none. */
  String architecture() {
    return texts("architectures").flatMap(names -> names.stream().findFirst()).orElse("");
  }

  public int positiveInt(String key) {
    require(key, "a positive integer");
    int value = integer(key, 1, "a positive integer");
    if (value < 1) {
      throw mustBe(key, "a positive integer");
    }
    return value;
  }

  public int positiveInt(String key, int fallback) {
    return given(key) ? positiveInt(key) : fallback;
  }

  /** A width or a number of parts of a model, from 1 to {@link #LARGEST_SIZE}. */
  int size(String key) {
    int size = positiveInt(key);
    if (size > LARGEST_SIZE) {
      throw mustBe(key, "at most " + LARGEST_SIZE);
    }
    return size;
  }

  int size(String key, int fallback) {
    return given(key) ? size(key) : fallback;
  }

  /** The number of blocks, from 1 to {@link #MOST_LAYERS}. */
  int layers(String key) {
    int layers = positiveInt(key);
    if (layers > MOST_LAYERS) {
      throw mustBe(key, "at most " + MOST_LAYERS);
    }
    return layers;
  }

  public int integer(String key, int fallback) {
    return integer(key, fallback, "an integer");
  }

  private int integer(String key, int fallback, String rule) {
    if (!given(key)) {
      return fallback;
    }
    JsonNode node = tree.get(key);
    if (!node.isIntegralNumber() || !node.canConvertToInt()) {
      throw mustBe(key, rule);
    }
    return node.intValue();
  }

  public double positiveNumber(String key, double fallback) {
    if (!given(key)) {
      return fallback;
    }
    JsonNode node = tree.get(key);
    if (!node.isNumber() || !(node.doubleValue() > 0) || Double.isInfinite(node.doubleValue())) {
      throw mustBe(key, "a positive number");
    }
    return node.doubleValue();
  }

  /** As {@link #positiveNumber(String, double)}, but 0 is allowed. */
  public double number(String key, double fallback) {
    return given(key) && isZero(tree.get(key)) ? 0 : positiveNumber(key, fallback);
  }

  /** A required positive number. */
  public double positiveNumber(String key) {
    require(key, "a positive number");
    return positiveNumber(key, 1);
  }

  public boolean flag(String key, boolean fallback) {
    if (!given(key)) {
      return fallback;
    }
    if (!tree.get(key).isBoolean()) {
      throw mustBe(key, "true or false");
    }
    return tree.get(key).booleanValue();
  }

  public String text(String key, String fallback) {
    return text(key, Optional.of(fallback));
  }

  private String text(String key, Optional<String> fallback) {
    if (!given(key) && fallback.isPresent()) {
      return fallback.get();
    }
    JsonNode node = require(key, "a string");
    if (!node.isString()) {
      throw mustBe(key, "a string");
    }
    return node.stringValue();
  }

  /** A list of strings; empty where absent or null. */
  public Optional<List<String>> texts(String key) {
    return list(key, "a list of strings", JsonNode::isString, JsonNode::stringValue);
  }

  /** A list of integers or flags, as flags: 0 is false; empty where absent or null. */
  public Optional<List<Boolean>> flags(String key) {
    return list(
        key,
        "a list of 0 and 1",
        node -> node.isBoolean() || node.isIntegralNumber(),
        node -> node.isBoolean() ? node.booleanValue() : node.asLong() != 0);
  }

  /** A list of numbers; empty where absent or null. */
  Optional<List<Double>> numbers(String key) {
    return list(key, "a list of numbers", JsonNode::isNumber, JsonNode::doubleValue);
  }

  private <T> Optional<List<T>> list(
      String key, String rule, Predicate<JsonNode> valid, Function<JsonNode, T> value) {
    if (!given(key)) {
      return Optional.empty();
    }
    List<T> values = new ArrayList<>();
    for (JsonNode node : tree.get(key)) {
      if (!valid.test(node)) {
        throw mustBe(key, rule);
      }
      values.add(value.apply(node));
    }
    if (!tree.get(key).isArray()) {
      throw mustBe(key, rule);
    }
    return Optional.of(values);
  }

  /**
   * A list such as {@code [[["global", "local"], 12]]}: lists of names and how often each is
   * repeated.
   *
   * @return whether each name is the second one; empty where absent or null
   */
  List<Boolean> repeated(String key, String first, String second) {
    List<Boolean> all = new ArrayList<>();
    if (!given(key)) {
      return all;
    }
    String rule = "a list of lists such as [[\"%s\", \"%s\"], 2]".formatted(first, second);
    if (!tree.get(key).isArray()) {
      throw mustBe(key, rule);
    }
    for (JsonNode part : tree.get(key)) {
      JsonNode names = part.path(0);
      int times = part.path(1).isIntegralNumber() ? part.path(1).asInt(-1) : -1;
      if (part.size() != 2 || !names.isArray() || times < 0 || times > MOST_LAYERS) {
        throw mustBe(key, rule);
      }
      for (int i = 0; i < times && all.size() <= MOST_LAYERS; i++) {
        for (JsonNode name : names) {
          if (!name.isString() || !List.of(first, second).contains(name.stringValue())) {
            throw mustBe(key, rule);
          }
          all.add(name.stringValue().equals(second));
        }
      }
    }
    return all;
  }

  /** Token ids that are given as one number or as a list; empty where absent or null. */
  public List<Integer> tokenIds(String key) {
    List<Integer> ids = new ArrayList<>();
    if (given(key)) {
      JsonNode node = tree.get(key);
      for (JsonNode id : node.isArray() ? node : Json.STRICT.createArrayNode().add(node)) {
        if (!id.isIntegralNumber() || !id.canConvertToInt() || id.intValue() < 0) {
          throw mustBe(key, "a token id or a list of token ids");
        }
        ids.add(id.intValue());
      }
    }
    return ids;
  }

  /** The element type that {@code dtype} names ({@code torch_dtype} before transformers 5). */
  public Optional<ElementType> dtype() {
    for (String key : List.of("dtype", "torch_dtype")) {
      if (given(key)) {
        String name = text(key, "");
        for (ElementType type : ElementType.values()) {
          if (type.torchName().equals(name)) {
            return Optional.of(type);
          }
        }
      }
    }
    return Optional.empty();
  }

  /** Another JSON object for messages about this file. */
  HuggingFaceConfig other(String json) {
    return new HuggingFaceConfig(
        file, section, (ObjectNode) Json.STRICT.readTree(json), ConcurrentHashMap.newKeySet());
  }

  /** The object under a key, empty where absent, null or {@code {}}. */
  public Optional<HuggingFaceConfig> section(String key) {
    if (!given(key)) {
      return Optional.empty();
    }
    if (!(tree.get(key) instanceof ObjectNode object)) {
      throw mustBe(key, "an object");
    }
    return object.isEmpty()
        ? Optional.empty()
        : Optional.of(new HuggingFaceConfig(file, section + key + ".", object, asked));
  }

  /** The section of the text model; the whole where there is none. */
  public HuggingFaceConfig text() {
    return section(TEXT).orElse(this);
  }

  /** The same with values for keys that are absent. */
  HuggingFaceConfig withDefaults(Map<String, Integer> values) {
    ObjectNode filled = tree.deepCopy();
    values.forEach(
        (key, value) -> {
          if (!filled.has(key)) {
            filled.put(key, value);
          }
        });
    return new HuggingFaceConfig(file, section, filled, asked);
  }

  /** The keys whose values are objects. */
  public List<String> sections() {
    return tree.properties().stream()
        .filter(property -> property.getValue().isObject())
        .map(Map.Entry::getKey)
        .toList();
  }

  /** Whether the key exists, even with null. */
  public boolean has(String key) {
    asked.add(section + key);
    return tree.has(key);
  }

  /** Refuses a key that changes what is computed unless it is absent, null, false or 0. */
  void requireOff(String key) {
    if (given(key) && !isOff(tree.path(key))) {
      throw notSupported(key, "a model without it");
    }
  }

  /** Marks keys that change no number in this family as read, and all keys of objects there. */
  void withoutEffect(String... keys) {
    for (String key : keys) {
      given(key);
      asked.add(section + key + ALL_OF_IT);
    }
  }

  /** Refuses a key that was not read, unless it is off or has a neutral value. */
  void requireNeutral(String key, double neutral) {
    if (asked.contains(section + key)) {
      return;
    }
    if (given(key)
        && !isOff(tree.get(key))
        && !(tree.get(key).isNumber() && tree.get(key).doubleValue() == neutral)) {
      throw notSupported(key, "a model without it");
    }
  }

  private static boolean isZero(JsonNode node) {
    return node.isNumber() && node.doubleValue() == 0;
  }

  /** Whether the key exists and is not null. */
  public boolean given(String key) {
    asked.add(section + key);
    return tree.hasNonNull(key);
  }

  /**
   * The keys that were never read, in the file's order; without those whose value is null, false, 0
   * or empty, and those that change no number.
   */
  public List<String> unread() {
    List<String> unread = new ArrayList<>();
    for (Map.Entry<String, JsonNode> property : tree.properties()) {
      String key = section + property.getKey();
      JsonNode value = property.getValue();
      if (asked.contains(key)) {
        if (value instanceof ObjectNode object && !asked.contains(key + ALL_OF_IT)) {
          unread.addAll(new HuggingFaceConfig(file, key + ".", object, asked).unread());
        }
      } else if (!isOff(value)
          && !WITHOUT_EFFECT.contains(property.getKey())
          && !GenerationKeys.ALL.contains(property.getKey())) {
        unread.add(key);
      }
    }
    return unread;
  }

  /** The values of matching keys, without those that are off or 1, which is neutral. */
  Map<String, JsonNode> values(Predicate<String> keys) {
    Map<String, JsonNode> set = new LinkedHashMap<>();
    tree.forEachEntry(
        (key, value) -> {
          if (keys.test(key) && !isOff(value) && !(value.isNumber() && value.doubleValue() == 1)) {
            set.put(key, value);
          }
        });
    return set;
  }

  private static boolean isOff(JsonNode value) {
    return isZero(value) || isUnset(value);
  }

  /** Whether a value is null, false or empty. */
  static boolean isUnset(JsonNode value) {
    return value.isNull()
        || (value.isBoolean() && !value.booleanValue())
        || (value.isString() && value.stringValue().isEmpty())
        || (value.isContainer() && value.isEmpty());
  }

  /** An error about a key whose value breaks a rule. */
  public DpoException mustBe(String key, String rule) {
    String found = tree.has(key) ? "was " + tree.get(key) : "is missing";
    return new DpoException(
        "[" + file + "] \"" + section + key + "\" must be " + rule + " but " + found);
  }

  /** An error about a valid value that is not supported. */
  public DpoException notSupported(String key, String supported) {
    return new DpoException(
        "["
            + file
            + "] \""
            + section
            + key
            + "\" "
            + tree.path(key)
            + " is not supported yet; supported is "
            + supported);
  }

  /** A copy of everything, keys in the file's order. */
  ObjectNode copy() {
    return tree.deepCopy();
  }

  private JsonNode require(String key, String rule) {
    if (!given(key)) {
      throw mustBe(key, rule);
    }
    return tree.get(key);
  }
}
