package org.dpo4j.weights;

import static java.util.Map.entry;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.dpo4j.DpoException;
import org.dpo4j.model.lora.LayerChoice;
import org.dpo4j.model.lora.LoraConfig;
import org.dpo4j.model.lora.LoraPlan;
import org.dpo4j.model.lora.TargetModules;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * An {@code adapter_config.json} of PEFT 0.21, read and written. Every key is supported or refused
 * by its value; keys unknown to PEFT are kept and reported by {@link #unknownKeys}.
 */
final class PeftConfig {

  static final String FILE = "adapter_config.json";

  /** Characters of a regular expression; the compiler of expressions is recursive. */
  static final int LONGEST_PATTERN = 2000;

  /** Names or expressions of a setting: more than a large model has layers. */
  static final int MOST = 4096;

  private static final String CAUSAL_LM = "CAUSAL_LM";
  private static final String TARGETS = "target_modules";
  private static final String EXCLUDED = "exclude_modules";
  private static final String BLOCKS = "layers_to_transform";
  private static final String CONTAINERS = "layers_pattern";
  private static final String PARAMETERS = "target_parameters";
  private static final String TYING = "ensure_weight_tying";
  private static final String ALL_LINEAR = "all-linear";

  private static final List<String> QUERY_AND_VALUE = List.of("q_proj", "v_proj");

  /** PEFT's default targets by {@code model_type}; the other types have none. */
  private static final Map<String, List<String>> DEFAULT_TARGETS =
      Map.ofEntries(
          entry("codegen", List.of("qkv_proj")),
          entry("falcon", List.of("query_key_value")),
          entry("gemma", QUERY_AND_VALUE),
          entry("gemma2", QUERY_AND_VALUE),
          entry("gemma3_text", QUERY_AND_VALUE),
          entry("gpt2", List.of("c_attn")),
          entry("gpt_bigcode", List.of("c_attn")),
          entry("gpt_neo", QUERY_AND_VALUE),
          entry("gpt_neox", List.of("query_key_value")),
          entry("gptj", QUERY_AND_VALUE),
          entry("llama", QUERY_AND_VALUE),
          entry("mistral", QUERY_AND_VALUE),
          entry("opt", QUERY_AND_VALUE),
          entry("phi", List.of("q_proj", "v_proj", "fc1", "fc2")),
          entry("qwen2", QUERY_AND_VALUE),
          entry("qwen3", QUERY_AND_VALUE),
          entry("stablelm", QUERY_AND_VALUE));

  /** Features of PEFT that are off if the key is absent, null, false or empty. */
  private static final List<String> NOT_HERE =
      List.of(
          "alora_invocation_tokens",
          "arrow_config",
          "corda_config",
          "eva_config",
          "kasa_config",
          "layer_replication",
          "loftq_config",
          "lora_bias",
          "lora_ga_config",
          "megatron_config",
          "monteclora_config",
          "trainable_token_indices",
          "use_bdlora",
          "use_qalora",
          "velora_config");

  /** Keys that do not affect the numbers of an adapter read here. */
  private static final List<String> WITHOUT_EFFECT =
      List.of(
          "auto_mapping",
          "base_model_name_or_path", // compared with the model when the adapter is opened
          "fan_in_fan_out", // the layer decides, in PEFT too
          "inference_mode",
          "megatron_core", // of megatron_config
          "peft_version",
          "qalora_group_size", // of use_qalora
          "revision",
          "runtime_config");

  /** Keys that are read. */
  private static final List<String> READ =
      List.of(
          "alpha_pattern",
          "bias",
          TYING,
          EXCLUDED,
          "init_lora_weights",
          CONTAINERS,
          BLOCKS,
          "lora_alpha",
          "lora_dropout",
          "modules_to_save",
          "peft_type",
          "r",
          "rank_pattern",
          TARGETS,
          PARAMETERS,
          "task_type",
          "use_dora",
          "use_rslora");

  private PeftConfig() {}

  /** Every key that PEFT 0.21 writes. */
  static Set<String> known() {
    Set<String> known = new TreeSet<>(NOT_HERE);
    known.addAll(WITHOUT_EFFECT);
    known.addAll(READ);
    return known;
  }

  /** Keys that PEFT 0.21 does not know and whose values are not null, false or empty. */
  static List<String> unknownKeys(JsonNode tree) {
    return tree.properties().stream()
        .filter(property -> !isOff(property.getValue()))
        .map(Map.Entry::getKey)
        .filter(key -> !known().contains(key))
        .sorted()
        .toList();
  }

  private static boolean isOff(JsonNode value) {
    return value.isMissingNode() || HuggingFaceConfig.isUnset(value);
  }

  /**
   * PEFT's default targets of a family.
   *
   * @param linears names of the model's linear layers, for the message
   * @param parameters the {@code target_parameters}; with these no other target is needed
   * @throws DpoException if it has none and none are given
   */
  static TargetModules defaultTargets(
      String modelType, Collection<String> linears, List<String> parameters) {
    List<String> names = DEFAULT_TARGETS.get(modelType);
    if (names == null && !parameters.isEmpty()) {
      return LayerChoice.NONE;
    }
    if (names == null) {
      throw new DpoException(
          "target_modules must be given for a model of the type "
              + modelType
              + ", for which PEFT has no default; its linear layers are "
              + String.join(", ", linears)
              + ", and all-linear is every one of them");
    }
    return new TargetModules.Named(names);
  }

  /** Targets given as one text, as in PEFT: all linear layers, or a regular expression. */
  static TargetModules targets(String text) {
    return text.equalsIgnoreCase(ALL_LINEAR)
        ? new TargetModules.AllLinear()
        : new TargetModules.Matching(TARGETS, text);
  }

  /** Layers that are left out, given as one text, as in PEFT: a regular expression. */
  static TargetModules excluded(String text) {
    return new TargetModules.Matching(EXCLUDED, text);
  }

  /**
   * Reads a config.
   *
   * @param modelType model type of the base model
   * @param linears names of its linear layers
   * @throws DpoException if a value is wrong or not supported
   */
  static LoraConfig read(HuggingFaceConfig json, String modelType, Collection<String> linears) {
    require(json, "peft_type", List.of("LORA"));
    require(json, "task_type", List.of(CAUSAL_LM));
    require(json, "bias", List.of("none", "all", "lora_only"));
    JsonNode tree = json.copy();
    for (String key : NOT_HERE) {
      if (!isOff(tree.path(key))) {
        throw json.notSupported(key, "an adapter without it");
      }
    }
    requireKnownInitialization(json, tree.path("init_lora_weights"));
    json.flag("fan_in_fan_out", false); // the layer decides, in PEFT too
    try {
      return new LoraConfig(
          json.positiveInt("r", 8),
          json.positiveNumber("lora_alpha", 8),
          share(json, tree.path("lora_dropout")),
          json.flag("use_rslora", false),
          json.flag("use_dora", false),
          layers(json, tree, modelType, linears),
          LoraConfig.Bias.valueOf(json.text("bias", "none").toUpperCase(Locale.ROOT)),
          texts(json, "modules_to_save", tree.path("modules_to_save")),
          ranks(json, tree.path("rank_pattern")),
          alphas(json, tree.path("alpha_pattern")),
          json.flag(TYING, false));
    } catch (PatternSyntaxException e) {
      throw new DpoException(
          "["
              + json.file()
              + "] a pattern must be a regular expression but "
              + e.getPattern()
              + " is none: "
              + e.getDescription(),
          e);
    }
  }

  /** One of some values; the first where the key is absent. */
  private static void require(HuggingFaceConfig json, String key, List<String> values) {
    if (!values.contains(json.text(key, values.get(0)))) {
      throw json.notSupported(key, String.join(", ", values));
    }
  }

  /** The others change the base weights when PEFT loads the adapter. */
  private static void requireKnownInitialization(HuggingFaceConfig json, JsonNode value) {
    boolean known =
        value.isMissingNode()
            || value.isNull()
            || value.isBoolean()
            || Set.of("gaussian", "eva", "orthogonal").contains(value.asString(""));
    if (!known) {
      throw json.notSupported(
          "init_lora_weights",
          "true, false, gaussian, orthogonal, eva: the others change the base");
    }
  }

  private static double share(HuggingFaceConfig json, JsonNode value) {
    if (value.isMissingNode() || value.isNull()) {
      return 0;
    }
    if (!value.isNumber() || !(value.doubleValue() >= 0 && value.doubleValue() < 1)) {
      throw json.mustBe("lora_dropout", "a number from 0 and below 1");
    }
    return value.doubleValue();
  }

  private static LayerChoice layers(
      HuggingFaceConfig json, JsonNode tree, String modelType, Collection<String> linears) {
    JsonNode targets = tree.path(TARGETS);
    for (String key : List.of(BLOCKS, CONTAINERS)) {
      if (targets.isString() && !isAbsent(tree.path(key))) {
        throw json.mustBe(key, "null where " + TARGETS + " is one text, as in PEFT,");
      }
    }
    if (!isOff(tree.path(CONTAINERS)) && isAbsent(tree.path(BLOCKS))) {
      throw json.mustBe(CONTAINERS, "null where " + BLOCKS + " is null, as in PEFT,");
    }
    JsonNode excluded = tree.path(EXCLUDED);
    List<String> parameters = texts(json, PARAMETERS, tree.path(PARAMETERS));
    return new LayerChoice(
        isAbsent(targets)
            ? defaultTargets(modelType, linears, parameters)
            : choice(json, TARGETS, targets, PeftConfig::targets),
        isOff(excluded) ? LayerChoice.NONE : choice(json, EXCLUDED, excluded, PeftConfig::excluded),
        blocks(json, tree.path(BLOCKS)),
        containers(json, tree.path(CONTAINERS)),
        parameters);
  }

  private static boolean isAbsent(JsonNode value) {
    return value.isMissingNode() || value.isNull();
  }

  /** Layers by names, or by one text. */
  private static TargetModules choice(
      HuggingFaceConfig json, String key, JsonNode value, Function<String, TargetModules> ofText) {
    return value.isString()
        ? ofText.apply(requireShort(json, key, value.stringValue()))
        : new TargetModules.Named(texts(json, key, value));
  }

  private static String requireShort(HuggingFaceConfig json, String key, String expression) {
    if (expression.length() > LONGEST_PATTERN) {
      throw json.mustBe(key, "an expression of at most " + LONGEST_PATTERN + " characters");
    }
    return expression;
  }

  /** One number or a list of them. */
  private static List<Integer> blocks(HuggingFaceConfig json, JsonNode value) {
    List<Integer> blocks = new ArrayList<>();
    if (value.isInt()) {
      return List.of(value.intValue());
    }
    if (isAbsent(value)) {
      return blocks;
    }
    for (JsonNode item : value) {
      if (!item.isInt()) {
        throw json.mustBe(BLOCKS, "a number of a block or a list of them");
      }
      blocks.add(item.intValue());
    }
    if (!value.isArray() || blocks.size() > MOST) {
      throw json.mustBe(BLOCKS, "a number of a block or a list of them, at most " + MOST);
    }
    return blocks;
  }

  /** One expression or a list of them. */
  private static List<String> containers(HuggingFaceConfig json, JsonNode value) {
    List<String> containers =
        value.isString() && !isOff(value)
            ? List.of(value.stringValue())
            : value.isString() ? List.of() : texts(json, CONTAINERS, value);
    containers.forEach(
        expression ->
            new TargetModules.Matching(CONTAINERS, requireShort(json, CONTAINERS, expression)));
    return containers;
  }

  private static List<String> texts(HuggingFaceConfig json, String key, JsonNode value) {
    List<String> texts = new ArrayList<>();
    if (value.isMissingNode() || value.isNull()) {
      return texts;
    }
    for (JsonNode item : value) {
      texts.add(item.asString(""));
    }
    if (!value.isArray() || texts.size() > MOST || texts.stream().anyMatch(String::isBlank)) {
      throw json.mustBe(key, "a list of names, at most " + MOST);
    }
    return texts;
  }

  private static Map<String, Integer> ranks(HuggingFaceConfig json, JsonNode value) {
    Map<String, Integer> ranks = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> entry : pattern(json, "rank_pattern", value)) {
      if (!entry.getValue().isInt() || entry.getValue().intValue() < 1) {
        throw json.mustBe("rank_pattern", "an object of names and ranks from 1");
      }
      ranks.put(entry.getKey(), entry.getValue().intValue());
    }
    return ranks;
  }

  private static Map<String, Double> alphas(HuggingFaceConfig json, JsonNode value) {
    Map<String, Double> alphas = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> entry : pattern(json, "alpha_pattern", value)) {
      if (!entry.getValue().isNumber() || !Double.isFinite(entry.getValue().doubleValue())) {
        throw json.mustBe("alpha_pattern", "an object of names and numbers");
      }
      alphas.put(entry.getKey(), entry.getValue().doubleValue());
    }
    return alphas;
  }

  private static Iterable<Map.Entry<String, JsonNode>> pattern(
      HuggingFaceConfig json, String key, JsonNode value) {
    if (value.isMissingNode() || value.isNull()) {
      return List.of();
    }
    if (!value.isObject() || value.size() > MOST) {
      throw json.mustBe(key, "an object of at most " + MOST + " expressions");
    }
    for (Map.Entry<String, JsonNode> entry : value.properties()) {
      if (entry.getKey().length() > LONGEST_PATTERN) {
        throw json.mustBe(
            key, "an object of expressions of at most " + LONGEST_PATTERN + " characters");
      }
      Pattern.compile(entry.getKey()); // throws if it is not a pattern
    }
    return value.properties();
  }

  /**
   * The config of a new adapter.
   *
   * @param wholePaths whether other modules may have the same names, as those of other towers or of
   *     experts: PEFT would adapt them too unless the whole paths are given
   */
  static ObjectNode write(LoraConfig config, LoraPlan plan, Path base, boolean wholePaths) {
    ObjectNode json = Json.STRICT.createObjectNode();
    ObjectNode alphas = json.putObject("alpha_pattern");
    config.alphaPattern().forEach((key, alpha) -> number(alphas, key, alpha));
    json.putNull("auto_mapping");
    json.put("base_model_name_or_path", base.toString());
    json.put("bias", config.bias().name().toLowerCase(Locale.ROOT));
    json.put(TYING, config.ensureWeightTying());
    if (config.layers().excluded() instanceof TargetModules.Matching matching) {
      json.put(EXCLUDED, matching.expression());
    } else {
      list(json, EXCLUDED, config.layers().excluded().words(), ArrayNode::add);
    }
    json.put(
        "fan_in_fan_out",
        plan.layers().stream().anyMatch(layer -> layer.transposed() && !layer.isTable()));
    json.put("inference_mode", true);
    json.put("init_lora_weights", true);
    list(json, CONTAINERS, config.layers().containers(), ArrayNode::add);
    list(json, BLOCKS, config.layers().blocks(), ArrayNode::add);
    number(json, "lora_alpha", config.alpha());
    json.put("lora_bias", false);
    json.put("lora_dropout", config.dropout());
    list(json, "modules_to_save", config.modulesToSave(), ArrayNode::add);
    json.put("peft_type", "LORA");
    json.put("r", config.rank());
    ObjectNode ranks = json.putObject("rank_pattern");
    config.rankPattern().forEach(ranks::put);
    json.putNull("revision");
    if (wholePaths) {
      ArrayNode paths = json.putArray(TARGETS);
      plan.layers().forEach(layer -> paths.add(layer.path()));
    } else if (config.layers().targets() instanceof TargetModules.Matching matching) {
      json.put(TARGETS, matching.expression());
    } else {
      ArrayNode names = json.putArray(TARGETS);
      (config.layers().targets() instanceof TargetModules.Named named
              ? named.names()
              : LoraPlan.lastParts(plan.layers()))
          .forEach(names::add);
    }
    list(json, PARAMETERS, config.layers().parameters(), ArrayNode::add);
    json.put("task_type", CAUSAL_LM);
    json.put("use_dora", config.dora());
    json.put("use_rslora", config.rsLora());
    return json;
  }

  /** A list, or null if it is empty. */
  private static <T> void list(
      ObjectNode json, String key, List<T> items, BiConsumer<ArrayNode, T> adding) {
    if (items.isEmpty()) {
      json.putNull(key);
    } else {
      ArrayNode array = json.putArray(key);
      items.forEach(item -> adding.accept(array, item));
    }
  }

  /** PEFT writes alphas as integers if they are whole. */
  private static void number(ObjectNode json, String key, double value) {
    if (value == Math.rint(value) && Math.abs(value) < Integer.MAX_VALUE) {
      json.put(key, (int) value);
    } else {
      json.put(key, value);
    }
  }
}
