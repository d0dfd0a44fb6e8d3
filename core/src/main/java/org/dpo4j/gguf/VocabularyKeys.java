package org.dpo4j.gguf;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.dpo4j.DpoException;
import org.dpo4j.tokenizer.TokenizerParts;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** The keys that describe a tokenizer to llama.cpp. */
final class VocabularyKeys {

  private static final int NORMAL = 1;
  private static final int UNKNOWN = 2;
  private static final int CONTROL = 3;
  private static final int USER_DEFINED = 4;
  private static final int UNUSED = 5;
  private static final int BYTE = 6;

  /** The blank of SentencePiece. */
  private static final String BLANK = "\u2581";

  /** The special tokens of Phi-3 that leave the white space after them. */
  private static final Set<String> NOT_STRIPPING = Set.of("<unk>", "<s>", "<|endoftext|>");

  private final String place;
  private final TokenizerParts parts;
  private final JsonNode json;
  private final boolean chats; // with a template
  private final String[] texts;
  private final int[] types;
  private final List<String> stripping = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();
  private final GgufMetadata keys = new GgufMetadata();

  private VocabularyKeys(String place, TokenizerParts parts, int vocabSize) {
    this.place = place;
    this.parts = parts;
    json = parts.json();
    chats = parts.templateText() != null;
    texts = new String[vocabSize];
    types = new int[vocabSize];
  }

  /**
   * The keys, and what llama.cpp does otherwise on some texts, in words.
   *
   * @param strips whether special tokens take in the white space after them, as those of Phi-3,
   *     which llama.cpp knows by the model's name
   * @param notes of differences that a user should know
   */
  record Result(GgufMetadata keys, boolean strips, List<String> notes) {}

  /**
   * Describes a tokenizer.
   *
   * @param place its file, for messages
   * @param vocabSize number of rows of the embedding table
   * @param endIds ids that end an answer
   * @throws DpoException if the format has no exact form of it
   */
  static Result of(String place, TokenizerParts parts, int vocabSize, List<Integer> endIds) {
    VocabularyKeys all = new VocabularyKeys(place, parts, vocabSize);
    all.describe(endIds);
    if (parts.templateText() != null) {
      all.keys.text("tokenizer.chat_template", parts.templateText());
    }
    return new Result(all.keys, all.strips(), List.copyOf(all.notes));
  }

  private DpoException refused(String what, String instead) {
    return new DpoException(
        "[%s] %s, for which GGUF has no exact form; %s".formatted(place, what, instead));
  }

  private void describe(List<Integer> endIds) {
    JsonNode model = json.path("model");
    if (!model.path("type").asString("BPE").equals("BPE")) {
      throw refused(
          "the tokenizer is of the type " + model.path("type").asString(""),
          "only byte pair encodings (BPE) are exported");
    }
    for (String key : List.of("continuing_subword_prefix", "end_of_word_suffix")) {
      if (!model.path(key).asString("").isEmpty()) {
        throw refused("the tokenizer has a " + key, "use the checkpoint itself");
      }
    }
    fill(model);
    boolean sentencePiece = model.path("byte_fallback").asBoolean(false);
    if (sentencePiece) {
      sentencePiece();
    } else {
      byteLevel(model);
    }
    specials(endIds);
  }

  /** Texts and types of all ids. */
  private void fill(JsonNode model) {
    for (Map.Entry<String, JsonNode> piece : model.path("vocab").properties()) {
      put(piece.getValue().asInt(-1), piece.getKey(), NORMAL);
    }
    String unknown = model.path("unk_token").asString("");
    for (JsonNode token : json.path("added_tokens")) {
      String text = token.path("content").asString("");
      boolean special = token.path("special").asBoolean(false);
      int type = text.equals(unknown) && special ? UNKNOWN : special ? CONTROL : USER_DEFINED;
      put(token.path("id").asInt(-1), text, type);
      if (token.path("lstrip").asBoolean(false) || token.path("rstrip").asBoolean(false)) {
        stripping.add(text);
      }
    }
    if (!stripping.isEmpty() && !strips()) {
      notes.add(
          "%s take in the white space beside them, which llama.cpp keeps apart"
              .formatted(
                  String.join(" ", stripping.subList(0, Math.min(3, stripping.size())))
                      + (stripping.size() > 3 ? " and others" : "")));
    }
    Set<String> given = new HashSet<>(Arrays.asList(texts));
    for (int id = 0; id < texts.length; id++) {
      if (texts[id] == null) {
        String text = "[PAD" + id + "]";
        texts[id] = given.contains(text) ? "[UNUSED" + id + "]" : text;
        types[id] = UNUSED;
      }
    }
  }

  /** Whether special tokens take in white space as those of Phi-3. */
  private boolean strips() {
    Set<String> all = new HashSet<>(Arrays.asList(texts));
    List<String> specials = new ArrayList<>();
    for (JsonNode token : json.path("added_tokens")) {
      String text = token.path("content").asString("");
      if (token.path("lstrip").asBoolean(false)) {
        return false;
      }
      if (token.path("rstrip").asBoolean(false) == NOT_STRIPPING.contains(text)) {
        return false;
      }
      specials.add(text);
    }
    return !specials.isEmpty() && all.contains("</s>") && all.containsAll(NOT_STRIPPING);
  }

  private void put(int id, String text, int type) {
    if (id < 0 || id >= texts.length) {
      throw new DpoException(
          "[%s] the token \"%s\" has the id %d but the model has embeddings for %d tokens; the tokenizer must be of this model"
              .formatted(place, text, id, texts.length));
    }
    texts[id] = text;
    types[id] = type;
  }

  private void byteLevel(JsonNode model) {
    JsonNode normalizer = json.path("normalizer");
    String form = normalizer.path("type").asString("");
    if (form.equals("NFC")) {
      notes.add(
          "the tokenizer brings text to the normal form NFC, which llama.cpp does not; text with"
              + " letters and accents apart has other tokens there");
    } else if (!normalizer.isMissingNode() && !normalizer.isNull()) {
      throw refused("the tokenizer has a normalizer, " + form, "use the checkpoint itself");
    }
    boolean whole = model.path("ignore_merges").asBoolean(false);
    String pre =
        PreTokenizers.name(json.path("pre_tokenizer"), whole)
            .orElseThrow(
                () ->
                    refused(
                        "the pre_tokenizer %s splits text in a way that llama.cpp has no name for"
                            .formatted(shortened(json.path("pre_tokenizer"))),
                        "use the checkpoint itself, or convert_hf_to_gguf.py of llama.cpp if that knows the tokenizer by its hash"));
    keys.text("tokenizer.ggml.model", "gpt2");
    keys.text("tokenizer.ggml.pre", pre);
    vocabulary();
    List<String> merges = new ArrayList<>();
    for (TokenizerParts.Merge merge : parts.merges()) {
      if (merge.first().contains(" ") || merge.second().contains(" ")) {
        throw refused(
            "a merge has a blank in it (\"%s\")".formatted(merge.joined()),
            "use the checkpoint itself");
      }
      merges.add(merge.first() + " " + merge.second());
    }
    keys.texts("tokenizer.ggml.merges", merges);
  }

  private static String shortened(JsonNode node) {
    String text = node.toString();
    return text.length() <= 160 ? text : text.substring(0, 160) + "...";
  }

  private void vocabulary() {
    keys.texts("tokenizer.ggml.tokens", Arrays.asList(texts));
    keys.numbers("tokenizer.ggml.token_type", types);
  }

  // --- SentencePiece
  // ------------------------------------------------------------------------------

  private void sentencePiece() {
    boolean prefix = blanks();
    for (int id = 0; id < texts.length; id++) {
      if (types[id] == NORMAL && texts[id].matches("<0x[0-9A-F]{2}>")) {
        types[id] = BYTE;
      }
    }
    keys.text("tokenizer.ggml.model", "llama");
    keys.text("tokenizer.ggml.pre", "default");
    vocabulary();
    keys.reals("tokenizer.ggml.scores", scores());
    keys.flag("tokenizer.ggml.add_space_prefix", prefix);
  }

  /**
   * Checks that blanks become {@link #BLANK} and nothing else changes or is split; returns whether
   * one is put before a text.
   */
  private boolean blanks() {
    boolean replaced = false;
    boolean prefix = false;
    List<JsonNode> steps = new ArrayList<>();
    flatten(json.path("normalizer"), "normalizers", steps);
    flatten(json.path("pre_tokenizer"), "pretokenizers", steps);
    for (JsonNode step : steps) {
      switch (step.path("type").asString("")) {
        case "Prepend" -> {
          prefix = step.path("prepend").asString("").equals(BLANK);
          if (!prefix || replaced) {
            throw other(step);
          }
        }
        case "Replace" -> {
          replaced =
              step.path("pattern").path("String").asString("").equals(" ")
                  && step.path("content").asString("").equals(BLANK);
          if (!replaced) {
            throw other(step);
          }
        }
        case "Metaspace" -> {
          String scheme = step.path("prepend_scheme").asString("always");
          if (!step.path("replacement").asString("").equals(BLANK)
              || step.path("split").asBoolean(true)
              || replaced) {
            throw other(step);
          }
          replaced = true;
          prefix = scheme.equals("always") || (scheme.equals("first") && !chats);
          if (scheme.equals("first")) {
            notes.add(
                chats
                    ? "the tokenizer puts a blank before a text that begins with a letter, llama.cpp"
                        + " does not; a conversation in the chat template has the same tokens"
                    : "the tokenizer puts a blank before the beginning of a text only; llama.cpp puts"
                        + " one before each text after a special token, too");
          } else if (prefix) {
            notes.add(
                "the tokenizer puts a blank before a text unless it begins with one; llama.cpp puts"
                    + " it before each text");
          }
        }
        case "Split" -> {
          // Gemma's: blanks are gone when it runs, so that it splits nothing.
          boolean idle = replaced && step.path("pattern").path("String").asString("").equals(" ");
          if (!idle) {
            throw other(step);
          }
        }
        default -> throw other(step);
      }
    }
    if (!replaced) {
      throw refused(
          "the tokenizer falls back to bytes but does not replace blanks by " + BLANK,
          "use the checkpoint itself");
    }
    return prefix;
  }

  private DpoException other(JsonNode step) {
    return refused("the tokenizer has the step " + shortened(step), "use the checkpoint itself");
  }

  private static void flatten(JsonNode node, String list, List<JsonNode> steps) {
    if (node.isMissingNode() || node.isNull()) {
      return;
    }
    if (node.path("type").asString("").equals("Sequence")) {
      node.path(list).forEach(part -> flatten(part, list, steps));
    } else {
      steps.add(node);
    }
  }

  /**
   * Scores with which SentencePiece merges in the order of the ranks: it merges the two neighbours
   * whose union has the highest score, wherever it comes from. That is the same only if each way to
   * join two tokens to a third is a merge, and if the merges of a token follow each other.
   */
  private float[] scores() {
    Map<String, Integer> ids = new HashMap<>();
    for (int id = 0; id < texts.length; id++) {
      ids.put(texts[id], id);
    }
    float[] scores = new float[texts.length];
    Map<String, Set<Integer>> cuts = new HashMap<>(); // of each token, the lengths of first parts
    @Nullable String last = null;
    int groups = 0;
    for (TokenizerParts.Merge merge : parts.merges()) {
      String joined = merge.joined();
      Integer id = ids.get(joined);
      if (id == null) {
        throw refused(
            "a merge makes \"%s\", which is no token".formatted(joined), "check the file");
      }
      if (!joined.equals(last)) {
        if (cuts.containsKey(joined)) {
          throw apart(joined, "its merges have other merges between them");
        }
        scores[id] = - ++groups;
        last = joined;
      }
      cuts.computeIfAbsent(joined, text -> new HashSet<>()).add(merge.first().length());
    }
    for (int id = 0; id < texts.length; id++) {
      if (types[id] == NORMAL) {
        requireAllCuts(texts[id], ids, cuts.getOrDefault(texts[id], Set.of()));
      }
    }
    return scores;
  }

  private void requireAllCuts(String token, Map<String, Integer> ids, Set<Integer> cuts) {
    for (int cut = 1; cut < token.length(); cut++) {
      if (Character.isLowSurrogate(token.charAt(cut))) {
        continue;
      }
      String first = token.substring(0, cut);
      String second = token.substring(cut);
      if (!cuts.contains(cut) && reachable(first, ids) && reachable(second, ids)) {
        throw apart(token, "\"%s\" and \"%s\" are tokens but no merge".formatted(first, second));
      }
    }
  }

  /** Whether a text may stand as a token while others are merged. */
  private boolean reachable(String text, Map<String, Integer> ids) {
    Integer id = ids.get(text);
    return id != null && types[id] == NORMAL;
  }

  private DpoException apart(String token, String how) {
    return refused(
        "the merges are not those of a SentencePiece model (\"%s\": %s)".formatted(token, how),
        "use the checkpoint itself");
  }

  // --- special tokens
  // -----------------------------------------------------------------------------

  private void specials(List<Integer> endIds) {
    OptionalInt bos = parts.id(parts.special().bosToken());
    OptionalInt eos = parts.id(parts.special().eosToken());
    bos.ifPresent(id -> keys.number("tokenizer.ggml.bos_token_id", id));
    int end =
        eos.isPresent() && (endIds.isEmpty() || endIds.contains(eos.getAsInt()))
            ? eos.getAsInt()
            : endIds.isEmpty() ? -1 : endIds.get(0);
    if (end >= 0) {
      keys.number("tokenizer.ggml.eos_token_id", end);
    }
    endIds.stream()
        .filter(id -> id != end)
        .findFirst()
        .ifPresent(id -> keys.number("tokenizer.ggml.eot_token_id", id));
    for (int id = 0; id < types.length; id++) {
      if (types[id] == UNKNOWN) {
        keys.number("tokenizer.ggml.unknown_token_id", id);
        break;
      }
    }
    parts
        .id(parts.special().padToken())
        .ifPresent(id -> keys.number("tokenizer.ggml.padding_token_id", id));
    List<String> before = new ArrayList<>();
    List<String> after = new ArrayList<>();
    frame(json.path("post_processor"), before, after);
    boolean first = isAlone(before, bos);
    boolean last = isAlone(after, end < 0 ? OptionalInt.empty() : OptionalInt.of(end));
    if ((!first && !before.isEmpty()) || (!last && !after.isEmpty())) {
      throw refused(
          "the post_processor adds other tokens than BOS and EOS", "use the checkpoint itself");
    }
    keys.flag("tokenizer.ggml.add_bos_token", first);
    keys.flag("tokenizer.ggml.add_eos_token", last);
  }

  private boolean isAlone(List<String> tokens, OptionalInt id) {
    return tokens.size() == 1 && id.isPresent() && parts.id(tokens.get(0)).equals(id);
  }

  /** Collects the tokens before and after a text. */
  private void frame(JsonNode processor, List<String> before, List<String> after) {
    switch (processor.path("type").asString("")) {
      case "", "ByteLevel" -> {}
      case "Sequence" -> processor.path("processors").forEach(one -> frame(one, before, after));
      case "TemplateProcessing" -> {
        List<String> side = before;
        for (JsonNode piece : processor.path("single")) {
          if (piece.has("Sequence")) {
            side = after;
          } else {
            side.add(piece.path("SpecialToken").path("id").asString(""));
          }
        }
      }
      default ->
          throw refused(
              "the tokenizer has the post_processor " + processor.path("type").asString(""),
              "use the checkpoint itself");
    }
  }
}
