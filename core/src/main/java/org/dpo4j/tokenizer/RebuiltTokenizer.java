package org.dpo4j.tokenizer;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.dpo4j.data.BoundedJson;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * The tokenizer that a class of transformers 5.23 builds from a {@code tokenizer.json} that it does
 * not use as it is, and the parts that differ from the file.
 *
 * @param model settings that are not null, false or empty
 */
record RebuiltTokenizer(
    Map<String, String> model,
    @Nullable JsonNode normalizer,
    @Nullable JsonNode preTokenizer,
    @Nullable JsonNode decoder,
    boolean newPostProcessor) {

  private static final String QWEN2 =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
          + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final String QWEN3_5 =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}"
          + "| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

  private static final Map<String, String> BYTE_LEVEL = Map.of("type", "BPE");
  private static final Map<String, String> BYTE_FALLBACK =
      Map.of("type", "BPE", "fuse_unk", "true", "byte_fallback", "true");

  /**
   * The parts of {@code tokenizer.json} that the class replaces; null if it is unknown what the
   * class builds.
   */
  static @Nullable List<String> differences(
      TokenizerClass rebuilding, TokenizerFile file, TokenizerSettings settings) {
    RebuiltTokenizer rebuilt = of(rebuilding, settings);
    return rebuilt == null ? null : rebuilt.differences(file, settings, rebuilding);
  }

  /**
   * The {@code tokenizer.json} that the class would save; null if it is unknown what the class
   * builds.
   *
   * @param json the file in UTF-8
   * @param file its parts
   */
  static byte @Nullable [] json(
      TokenizerClass rebuilding, byte[] json, TokenizerFile file, TokenizerSettings settings) {
    RebuiltTokenizer rebuilt = of(rebuilding, settings);
    String type = file.model() == null ? "" : file.model().type();
    if (rebuilt == null || !Objects.requireNonNullElse(type, "BPE").equals("BPE")) {
      return null;
    }
    ObjectNode tokenizer = BoundedJson.LENIENT.readTree(json).asObject();
    ObjectNode model = tokenizer.withObject("model");
    model.retain("vocab", "merges");
    rebuilt.model.forEach(
        (key, value) -> {
          if (key.equals("type")) {
            model.put(key, value);
          } else {
            model.put(key, Boolean.parseBoolean(value));
          }
        });
    tokenizer.set("normalizer", rebuilt.normalizer);
    tokenizer.set("pre_tokenizer", rebuilt.preTokenizer);
    tokenizer.set("decoder", rebuilt.decoder);
    if (rebuilt.newPostProcessor) {
      tokenizer.putNull("post_processor");
    }
    tokenizer.set("added_tokens", AddedTokens.rebuilt(file, settings, rebuilding).json());
    return JsonMapper.shared().writeValueAsBytes(tokenizer);
  }

  private static @Nullable RebuiltTokenizer of(
      TokenizerClass rebuilding, TokenizerSettings settings) {
    JsonNode config = settings.config();
    boolean llama = rebuilding.name().equals("LlamaTokenizer");
    boolean prefix = config.path("add_prefix_space").asBoolean(rebuilding.name().contains("Llama"));
    return switch (rebuilding.name()) {
      case "LlamaTokenizer", "CodeLlamaTokenizer" -> {
        boolean always = llama && config.path("legacy").asBoolean(false);
        String scheme = !prefix ? "never" : always ? "always" : "first";
        yield new RebuiltTokenizer(
            BYTE_FALLBACK,
            null,
            json(
                "{'type':'Metaspace','replacement':'▁','prepend_scheme':'%s','split':false}"
                    .formatted(scheme)),
            sentencePieceDecoder(!llama || prefix),
            false);
      }
      case "GemmaTokenizer" ->
          new RebuiltTokenizer(
              BYTE_FALLBACK,
              json("{'type':'Replace','pattern':{'String':' '},'content':'▁'}"),
              json(
                  "{'type':'Split','pattern':{'String':' '},'behavior':'MergedWithPrevious',"
                      + "'invert':false}"),
              sentencePieceDecoder(false),
              false);
      case "GPT2Tokenizer" -> byteLevel(null, byteLevel(prefix, true), false);
      case "GPTNeoXTokenizer" -> byteLevel("NFC", byteLevel(prefix, true), true);
      case "CohereTokenizer" ->
          byteLevel(
              "NFC",
              sequence(json("{'type':'Digits','individual_digits':true}"), byteLevel(prefix, true)),
              false);
      case "Qwen2Tokenizer" ->
          byteLevel("NFC", sequence(split(QWEN2), byteLevel(prefix, false)), false);
      case "Qwen3_5Tokenizer" ->
          byteLevel("NFC", sequence(split(QWEN3_5), byteLevel(prefix, false)), false);
      default -> null;
    };
  }

  private static RebuiltTokenizer byteLevel(
      @Nullable String normalizer, JsonNode preTokenizer, boolean newPostProcessor) {
    return new RebuiltTokenizer(
        BYTE_LEVEL,
        normalizer == null ? null : json("{'type':'%s'}".formatted(normalizer)),
        preTokenizer,
        byteLevel(true, true),
        newPostProcessor);
  }

  private static JsonNode byteLevel(boolean prefix, boolean regex) {
    return json(
        "{'type':'ByteLevel','add_prefix_space':%s,'trim_offsets':true,'use_regex':%s}"
            .formatted(prefix, regex));
  }

  private static JsonNode split(String regex) {
    ObjectNode split = (ObjectNode) json("{'type':'Split','behavior':'Isolated','invert':false}");
    split.putObject("pattern").put("Regex", regex);
    return split;
  }

  private static JsonNode sequence(JsonNode first, JsonNode second) {
    ObjectNode sequence = (ObjectNode) json("{'type':'Sequence'}");
    sequence.putArray("pretokenizers").add(first).add(second);
    return sequence;
  }

  private static JsonNode sentencePieceDecoder(boolean strip) {
    return json(
        "{'type':'Sequence','decoders':[{'type':'Replace','pattern':{'String':'▁'},'content':' '},"
            + "{'type':'ByteFallback'},{'type':'Fuse'}"
            + (strip ? ",{'type':'Strip','content':' ','start':1,'stop':0}" : "")
            + "]}");
  }

  private static JsonNode json(String text) {
    return JsonMapper.shared().readTree(text.replace('\'', '"'));
  }

  private List<String> differences(
      TokenizerFile file, TokenizerSettings settings, TokenizerClass rebuilding) {
    AddedTokens stands = AddedTokens.of(file, settings);
    List<String> parts = new ArrayList<>();
    if (!model(file, stands.vocabulary()).equals(model)) {
      parts.add("model");
    }
    if (!steps(file.normalizer()).equals(steps(normalizer))) {
      parts.add("normalizer");
    }
    if (!steps(file.pre_tokenizer()).equals(steps(preTokenizer))) {
      parts.add("pre_tokenizer");
    }
    if (!decoderSteps(file.decoder()).equals(decoderSteps(decoder))) {
      parts.add("decoder");
    }
    if (newPostProcessor && addsTokens(file.post_processor())) {
      parts.add("post_processor");
    }
    Map<String, AddedTokens.Numbered> rebuilt =
        cutting(AddedTokens.rebuilt(file, settings, rebuilding));
    // A default token of the class that is neither listed nor in the vocabulary cannot occur in
    // text.
    rebuilt
        .keySet()
        .removeIf(
            content ->
                !stands.byContent().containsKey(content) && !stands.vocabulary().has(content));
    if (!rebuilt.equals(cutting(stands))) {
      parts.add("added_tokens");
    }
    return parts;
  }

  /** The tokens with the flags that affect how text is split; {@code special} does not. */
  private static Map<String, AddedTokens.Numbered> cutting(AddedTokens tokens) {
    Map<String, AddedTokens.Numbered> cutting = new LinkedHashMap<>();
    tokens
        .byContent()
        .forEach(
            (content, numbered) ->
                cutting.put(
                    content,
                    new AddedTokens.Numbered(numbered.id(), numbered.token().asSpecial())));
    return cutting;
  }

  /** The settings of the model that have an effect. */
  private static Map<String, String> model(TokenizerFile file, Vocabulary vocabulary) {
    Map<String, String> settings = new TreeMap<>();
    TokenizerFile.Model model = Objects.requireNonNull(file.model());
    settings.put("type", Objects.requireNonNullElse(model.type(), "BPE"));
    put(settings, "dropout", model.dropout());
    put(settings, "continuing_subword_prefix", model.continuing_subword_prefix());
    put(settings, "end_of_word_suffix", model.end_of_word_suffix());
    put(settings, "byte_fallback", model.byte_fallback());
    put(settings, "ignore_merges", model.ignore_merges());
    if (vocabulary.coversBytes(settings.containsKey("byte_fallback"))) {
      // No piece is unknown, so the handling of unknown pieces does not matter.
      if (settings.containsKey("byte_fallback")) {
        settings.put("fuse_unk", "true");
      }
    } else {
      put(settings, "fuse_unk", model.fuse_unk());
      put(settings, "unk_token", model.unk_token());
    }
    return settings;
  }

  private static void put(Map<String, String> settings, String key, @Nullable JsonNode value) {
    if (value == null || value.isNull()) {
      return;
    }
    String text = value.asString("");
    if (!text.isEmpty() && !text.equals("false") && !(value.isNumber() && value.asDouble() == 0)) {
      settings.put(key, text);
    }
  }

  /** The steps in order, each with its effective settings, defaults included. */
  private static List<JsonNode> steps(@Nullable JsonNode part) {
    List<JsonNode> steps = new ArrayList<>();
    if (part == null || part.isNull()) {
      return steps;
    }
    if (part.path("type").asString("").equals("Sequence")) {
      for (String list : List.of("normalizers", "pretokenizers", "decoders", "processors")) {
        part.path(list).forEach(step -> steps.addAll(steps(step)));
      }
      return steps;
    }
    ObjectNode step = part.deepCopy().asObject();
    switch (step.path("type").asString("")) {
      case "ByteLevel" -> {
        step.remove("trim_offsets");
        step.put("add_prefix_space", step.path("add_prefix_space").asBoolean(true));
        step.put("use_regex", step.path("use_regex").asBoolean(true));
      }
      case "Metaspace" -> {
        boolean prefix = step.path("add_prefix_space").asBoolean(true);
        step.remove(List.of("add_prefix_space", "str_rep"));
        step.put(
            "prepend_scheme", step.path("prepend_scheme").asString(prefix ? "always" : "never"));
        step.put("split", step.path("split").asBoolean(true));
      }
      default -> {}
    }
    steps.add(step);
    return steps;
  }

  private static List<JsonNode> decoderSteps(@Nullable JsonNode part) {
    List<JsonNode> steps = steps(part);
    steps.replaceAll(
        step ->
            step.path("type").asString("").equals("ByteLevel")
                ? json("{'type':'ByteLevel'}") // its flags have no effect in decoding
                : step);
    return steps;
  }

  /** Whether a post-processor adds anything to one text. */
  private static boolean addsTokens(@Nullable JsonNode part) {
    for (JsonNode step : steps(part)) {
      boolean template = step.path("type").asString("").equals("TemplateProcessing");
      boolean plain =
          template
              ? step.path("single").size() == 1 && step.path("single").get(0).has("Sequence")
              : step.path("type").asString("").equals("ByteLevel");
      if (!plain) {
        return true;
      }
    }
    return false;
  }
}
