package org.dpo4j.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import org.dpo4j.DpoException;
import org.dpo4j.tokenizer.TextReplacement;
import org.dpo4j.tokenizer.TokenizerParts;
import org.dpo4j.weights.ModelFolders;
import org.dpo4j.weights.StreamedModel;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Closes: a tokenizer that is exported although llama.cpp makes other tokens of texts, tokens with
 * another kind, score or role, and differences that nobody is told of. {@code LlamaCppTest}
 * compares the ids.
 */
class VocabularyKeysTest {

  private static final JsonMapper JSON = JsonMapper.shared();
  private static final String PLACE = "tokenizer.json";
  private static final String BLANK = "\u2581";

  private final Path folder;

  VocabularyKeysTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /** Of a byte-level tokenizer: "a" 0, "b" 1, "c" 2, "ab" 3, "abc" 4, and the tokens from 5 on. */
  private static ObjectNode byteLevel() {
    return tree(
        """
        {"added_tokens": [], "normalizer": null,
         "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
         "post_processor": null, "decoder": {"type": "ByteLevel"},
         "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4},
          "merges": [["a", "b"], ["ab", "c"]]}}
        """);
  }

  /** Of SentencePiece: each way to join two tokens to a third is a merge. */
  private static ObjectNode sentencePiece() {
    return tree(
        """
        {"added_tokens": [],
         "normalizer": {"type": "Sequence", "normalizers": [
          {"type": "Prepend", "prepend": "_"},
          {"type": "Replace", "pattern": {"String": " "}, "content": "_"}]},
         "pre_tokenizer": null, "post_processor": null, "decoder": null,
         "model": {"type": "BPE", "byte_fallback": true, "unk_token": "<unk>",
          "vocab": {"<unk>": 0, "<0x41>": 1, "a": 2, "b": 3, "_": 4, "ab": 5, "ba": 6, "aba": 7},
          "merges": [["a", "b"], ["b", "a"], ["ab", "a"], ["a", "ba"]]}}
        """
            .replace("\"_\"", "\"" + BLANK + "\""));
  }

  private static ObjectNode tree(String json) {
    return (ObjectNode) JSON.readTree(json);
  }

  private static void add(ObjectNode json, int id, String text, String more) {
    ((ArrayNode) json.get("added_tokens"))
        .add(
            tree(
                "{\"id\": %d, \"content\": \"%s\", \"special\": true %s}"
                    .formatted(id, text, more)));
  }

  private VocabularyKeys.Result result(
      ObjectNode json, String config, int vocabSize, Integer... ends) {
    try {
      Files.writeString(folder.resolve("tokenizer.json"), json.toString());
      Files.writeString(folder.resolve("tokenizer_config.json"), config);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
    TokenizerParts parts = TokenizerParts.read(folder, TextReplacement.NONE);
    return VocabularyKeys.of(PLACE, parts, vocabSize, List.of(ends));
  }

  private VocabularyKeys.Result result(ObjectNode json) {
    return result(json, "{}", 8);
  }

  private void requireRefused(ObjectNode json, String says) {
    assertThatThrownBy(() -> result(json))
        .isInstanceOf(DpoException.class)
        .hasMessageStartingWith("[tokenizer.json] ")
        .hasMessageContaining(says);
  }

  private static int[] types(VocabularyKeys.Result result) {
    return (int[]) value(result, "tokenizer.ggml.token_type");
  }

  private static Object value(VocabularyKeys.Result result, String key) {
    return Objects.requireNonNull(result.keys().values().get(key), key);
  }

  // --- byte level
  // ------------------------------------------------------------------------------

  @Test
  void aByteLevelTokenizerIsDescribedWithItsMerges() {
    VocabularyKeys.Result result = result(byteLevel(), "{}", 5);
    assertThat(result.keys().values())
        .containsEntry("tokenizer.ggml.model", "gpt2")
        .containsEntry("tokenizer.ggml.pre", "gpt-2")
        .containsEntry("tokenizer.ggml.tokens", List.of("a", "b", "c", "ab", "abc"))
        .containsEntry("tokenizer.ggml.merges", List.of("a b", "ab c"))
        .containsEntry("tokenizer.ggml.add_bos_token", false)
        .containsEntry("tokenizer.ggml.add_eos_token", false)
        .doesNotContainKeys(
            "tokenizer.ggml.bos_token_id",
            "tokenizer.ggml.eos_token_id",
            "tokenizer.ggml.scores",
            "tokenizer.chat_template");
    assertThat(types(result)).containsExactly(1, 1, 1, 1, 1);
    assertThat(result.notes()).isEmpty();
    assertThat(result.strips()).isFalse();
  }

  /** An embedding table has more rows than there are tokens, which are mostly behind them. */
  @Test
  void idsWithoutATokenAreFilledUnderNamesOfTheirOwn() {
    ObjectNode json = byteLevel();
    ((ObjectNode) json.path("model").path("vocab")).put("[PAD8]", 6);
    VocabularyKeys.Result result = result(json, "{}", 9);
    assertThat(value(result, "tokenizer.ggml.tokens"))
        .isEqualTo(List.of("a", "b", "c", "ab", "abc", "[PAD5]", "[PAD8]", "[PAD7]", "[UNUSED8]"));
  }

  @Test
  void addedTokensAreControlsOrTheUsers() {
    ObjectNode json = byteLevel();
    ((ObjectNode) json.path("model")).put("unk_token", "<unk>");
    add(json, 5, "<unk>", "");
    add(json, 6, "<s>", "");
    add(json, 7, "word", ", \"special\": false");
    VocabularyKeys.Result result = result(json, "{}", 9);
    assertThat(types(result)).containsExactly(1, 1, 1, 1, 1, 2, 3, 4, 5);
    assertThat(value(result, "tokenizer.ggml.unknown_token_id")).isEqualTo(5);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "/model/type | \"Unigram\" | is of the type Unigram, for which GGUF has no exact form",
        "/model/type | \"WordPiece\" | only byte pair encodings (BPE) are exported",
        "/model/continuing_subword_prefix | \"##\" | the tokenizer has a continuing_subword_prefix",
        "/model/end_of_word_suffix | \"</w>\" | the tokenizer has a end_of_word_suffix",
        "/normalizer | {\"type\": \"Lowercase\"} | the tokenizer has a normalizer, Lowercase",
        "/pre_tokenizer | {\"type\": \"Whitespace\"} | splits text in a way that llama.cpp has no",
        "/pre_tokenizer | null | splits text in a way",
        "/pre_tokenizer/add_prefix_space | true | splits text in a way",
        "/model/ignore_merges | true | splits text in a way",
        "/post_processor | {\"type\": \"BertProcessing\"} | has the post_processor BertProcessing",
      })
  void whatLlamaCppDoesOtherwiseIsRefused(String place, String value, String says) {
    ObjectNode json = byteLevel();
    int name = place.lastIndexOf('/');
    ((ObjectNode) json.at(place.substring(0, name)))
        .set(place.substring(name + 1), JSON.readTree(value));
    requireRefused(json, says);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'type': 'Digits', 'individual_digits': false}",
        "{'type': 'Split', 'pattern': {'Regex': 'x'}, 'behavior': 'Isolated', 'invert': false}",
        "{'type': 'Punctuation'}",
      })
  void anotherStepBeforeTheBytesIsRefused(String step) {
    ObjectNode json = byteLevel();
    ObjectNode sequence = tree("{\"type\": \"Sequence\"}");
    sequence
        .putArray("pretokenizers")
        .add(JSON.readTree(step.replace('\'', '"')))
        .add(json.get("pre_tokenizer"));
    json.set("pre_tokenizer", sequence);
    requireRefused(json, "in a way that llama.cpp has no name for");
  }

  @Test
  void aNormalFormIsANote() {
    ObjectNode json = byteLevel();
    json.set("normalizer", tree("{\"type\": \"NFC\"}"));
    assertThat(result(json).notes())
        .singleElement()
        .asString()
        .startsWith("the tokenizer brings text to the normal form NFC, which llama.cpp does not");
  }

  @Test
  void whiteSpaceThatTokensTakeInIsANote() {
    ObjectNode json = byteLevel();
    for (int id = 5; id < 8; id++) {
      add(json, id, "<" + id + ">", id == 6 ? ", \"lstrip\": true" : ", \"rstrip\": true");
    }
    add(json, 8, "<8>", "");
    assertThat(result(json, "{}", 9).notes())
        .containsExactly(
            "<5> <6> <7> take in the white space beside them, which llama.cpp keeps apart");
    add(json, 9, "<9>", ", \"rstrip\": true");
    assertThat(result(json, "{}", 10).notes()).singleElement().asString().contains("and others");
  }

  @Test
  void anIdBeyondTheEmbeddingsIsRefused() {
    assertThatThrownBy(() -> result(byteLevel(), "{}", 4))
        .isInstanceOf(DpoException.class)
        .hasMessage(
            "[tokenizer.json] the token \"abc\" has the id 4 but the model has embeddings for 4"
                + " tokens; the tokenizer must be of this model");
  }

  @Test
  void aBlankInAMergeIsRefused() {
    ObjectNode json = byteLevel();
    ObjectNode model = (ObjectNode) json.get("model");
    ((ObjectNode) model.get("vocab")).put(" ", 5).put("a ", 6);
    ((ArrayNode) model.get("merges")).add(JSON.readTree("[\"a\", \" \"]"));
    requireRefused(json, "a merge has a blank in it (\"a \")");
  }

  // --- special tokens
  // --------------------------------------------------------------------------

  private static final String ROLES =
      "{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\", \"pad_token\": \"<pad>\"}";

  private static ObjectNode withRoles() {
    ObjectNode json = byteLevel();
    add(json, 5, "<s>", "");
    add(json, 6, "</s>", "");
    add(json, 7, "<pad>", "");
    add(json, 8, "<|end|>", "");
    return json;
  }

  @Test
  void rolesHaveTheIdsOfTheirTokens() {
    assertThat(result(withRoles(), ROLES, 9).keys().values())
        .containsEntry("tokenizer.ggml.bos_token_id", 5)
        .containsEntry("tokenizer.ggml.eos_token_id", 6)
        .containsEntry("tokenizer.ggml.padding_token_id", 7)
        .doesNotContainKey("tokenizer.ggml.eot_token_id");
  }

  /** The model's own ids end an answer; of several, the tokenizer's EOS is the first. */
  @ParameterizedTest
  @CsvSource({"6, 6, -1", "8, 8, -1", "8 6, 6, 8", "6 8, 6, 8", "8 7, 8, 7"})
  void idsThatEndAnAnswerAreEosAndEot(String ends, int eos, int eot) {
    Integer[] ids = Arrays.stream(ends.split(" ")).map(Integer::valueOf).toArray(Integer[]::new);
    Map<String, Object> keys = result(withRoles(), ROLES, 9, ids).keys().values();
    assertThat(keys).containsEntry("tokenizer.ggml.eos_token_id", eos);
    if (eot < 0) {
      assertThat(keys).doesNotContainKey("tokenizer.ggml.eot_token_id");
    } else {
      assertThat(keys).containsEntry("tokenizer.ggml.eot_token_id", eot);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "<s> A, true, false",
    "A </s>, false, true",
    "<s> A </s>, true, true",
    "A, false, false",
  })
  void tokensThatAreAddedAreBosAndEos(String frame, boolean bos, boolean eos) {
    ObjectNode json = withRoles();
    json.set("post_processor", template(frame));
    assertThat(result(json, ROLES, 9).keys().values())
        .containsEntry("tokenizer.ggml.add_bos_token", bos)
        .containsEntry("tokenizer.ggml.add_eos_token", eos);
  }

  /** As Llama 3 has it, behind the processor of its bytes. */
  @Test
  void aSequenceOfProcessorsIsRead() {
    ObjectNode json = withRoles();
    ObjectNode sequence = tree("{\"type\": \"Sequence\"}");
    sequence.putArray("processors").add(tree("{\"type\": \"ByteLevel\"}")).add(template("<s> A"));
    json.set("post_processor", sequence);
    assertThat(result(json, ROLES, 9).keys().values())
        .containsEntry("tokenizer.ggml.add_bos_token", true);
  }

  @ParameterizedTest
  @ValueSource(strings = {"<pad> A", "<s> <s> A", "A <s>", "</s> A"})
  void otherAddedTokensAreRefused(String frame) {
    ObjectNode json = withRoles();
    json.set("post_processor", template(frame));
    assertThatThrownBy(() -> result(json, ROLES, 9))
        .isInstanceOf(DpoException.class)
        .hasMessage(
            "[tokenizer.json] the post_processor adds other tokens than BOS and EOS, for which GGUF"
                + " has no exact form; use the checkpoint itself");
  }

  private static JsonNode template(String frame) {
    ObjectNode processor = tree("{\"type\": \"TemplateProcessing\", \"special_tokens\": {}}");
    ArrayNode single = processor.putArray("single");
    for (String piece : frame.split(" ")) {
      String kind = piece.equals("A") ? "Sequence" : "SpecialToken";
      single.add(tree("{\"%s\": {\"id\": \"%s\", \"type_id\": 0}}".formatted(kind, piece)));
    }
    return processor;
  }

  @Test
  void theChatTemplateIsInTheFile() throws IOException {
    Files.writeString(folder.resolve("chat_template.jinja"), "{{ messages[0].content }}");
    assertThat(result(byteLevel()).keys().values())
        .containsEntry("tokenizer.chat_template", "{{ messages[0].content }}");
  }

  // --- Phi-3
  // -----------------------------------------------------------------------------------

  /**
   * Those of Phi-3: llama.cpp takes white space after them for theirs if the model's name is so.
   */
  private static ObjectNode phi3() {
    ObjectNode json = sentencePiece();
    add(json, 0, "<unk>", "");
    add(json, 8, "<s>", "");
    add(json, 9, "</s>", ", \"rstrip\": true");
    add(json, 10, "<|endoftext|>", "");
    add(json, 11, "<|user|>", ", \"rstrip\": true");
    return json;
  }

  @Test
  void tokensThatStripAsPhi3sNeedItsName() {
    VocabularyKeys.Result result = result(phi3(), "{}", 12);
    assertThat(result.strips()).isTrue();
    assertThat(result.notes()).isEmpty();

    ObjectNode other = phi3();
    add(other, 12, "<|other|>", "");
    VocabularyKeys.Result kept = result(other, "{}", 13);
    assertThat(kept.strips()).isFalse();
    assertThat(kept.notes()).singleElement().asString().contains("</s> <|user|> take in");
  }

  @ParameterizedTest
  @CsvSource({
    "mine, false, mine",
    "Phi-3-mini, false, phi_3-mini",
    "my-phi3, false, my-phi_3",
    "mine, true, mine (phi-3)",
    "Phi-3-mini, true, Phi-3-mini",
  })
  void theNameSaysWhetherTokensStrip(String name, boolean strips, String expected)
      throws IOException {
    Path copy = ExportedModels.copy("llama_default", folder);
    ObjectNode json = strips ? phi3() : byteLevel();
    Files.writeString(copy.resolve("tokenizer.json"), json.toString());
    Path file = folder.resolve("named.gguf");
    try (StreamedModel model = StreamedModel.open("model", copy)) {
      TokenizerParts parts = TokenizerParts.read(copy, TextReplacement.NONE);
      ExportedModels.write(
          GgufExport.of(name, model, parts, List.of(2), GgufExport.OutType.F32), file);
    }
    assertThat(GgufFile.open(file).metadata().values()).containsEntry("general.name", expected);
  }

  // --- SentencePiece
  // ---------------------------------------------------------------------------

  @Test
  void scoresFallFromMergeToMerge() {
    VocabularyKeys.Result result = result(sentencePiece());
    assertThat(result.keys().values())
        .containsEntry("tokenizer.ggml.model", "llama")
        .containsEntry("tokenizer.ggml.pre", "default")
        .containsEntry("tokenizer.ggml.add_space_prefix", true)
        .doesNotContainKey("tokenizer.ggml.merges");
    // "aba" is made in two ways, which are one score.
    assertThat((float[]) value(result, "tokenizer.ggml.scores"))
        .containsExactly(0, 0, 0, 0, 0, -1, -2, -3);
    assertThat(types(result)).containsExactly(1, 6, 1, 1, 1, 1, 1, 1);
    assertThat(result.notes()).isEmpty();
  }

  @Test
  void theUnknownTokenIsAKindOfItsOwn() {
    ObjectNode json = sentencePiece();
    add(json, 0, "<unk>", "");
    assertThat(types(result(json))).startsWith(2, 6, 1);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "a b,b a,ab a | \"aba\": \"a\" and \"ba\" are tokens but no merge",
        "a b,ab a,a ba,b a,a b | \"ab\": its merges have other merges between them",
        "a b,b a,ab a,b a,a ba | \"ba\": its merges have other merges between them",
        "a b,b a,ab a,a ba,b b | a merge makes \"bb\", which is no token",
      })
  void mergesThatNoScoresGiveAreRefused(String merges, String says) {
    ObjectNode json = sentencePiece();
    ArrayNode list = ((ObjectNode) json.get("model")).putArray("merges");
    for (String merge : merges.split(",")) {
      list.add(JSON.valueToTree(merge.split(" ")));
    }
    requireRefused(json, says);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "null | {'type': 'Metaspace', 'prepend_scheme': 'never'} | false | ",
        "null | {'type': 'Metaspace', 'prepend_scheme': 'always'} | true | unless it begins with one",
        "null | {'type': 'Metaspace', 'prepend_scheme': 'first'} | true | the beginning of a text only",
        "{'type': 'Replace'} | null | false | ",
        "{'type': 'Replace'} | {'type': 'Split', 'pattern': {'String': ' '}} | false | ",
      })
  void formsOfSentencePieceAreReadWithTheirDifferences(
      String normalizer, String splitter, boolean prefix, String note) {
    VocabularyKeys.Result result =
        result(
            change(
                json -> {
                  json.set("normalizer", step(normalizer));
                  json.set("pre_tokenizer", step(splitter));
                }));
    assertThat(result.keys().values()).containsEntry("tokenizer.ggml.add_space_prefix", prefix);
    if (note == null) {
      assertThat(result.notes()).isEmpty();
    } else {
      assertThat(result.notes()).singleElement().asString().contains(note);
    }
  }

  /** With a chat template texts follow special tokens. */
  @Test
  void aConversationDecidesWhetherABlankIsPutBeforeTheFirstText() throws IOException {
    Files.writeString(folder.resolve("chat_template.jinja"), "{{ messages[0].content }}");
    VocabularyKeys.Result result =
        result(
            change(
                json -> {
                  json.putNull("normalizer");
                  json.set(
                      "pre_tokenizer", step("{'type': 'Metaspace', 'prepend_scheme': 'first'}"));
                }));
    assertThat(result.keys().values()).containsEntry("tokenizer.ggml.add_space_prefix", false);
    assertThat(result.notes())
        .singleElement()
        .asString()
        .contains("a conversation in the chat template has the same tokens");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "null | null | does not replace blanks by " + BLANK,
        "{'type': 'NFKC'} | null | the tokenizer has the step {\"type\":\"NFKC\"}",
        "{'type': 'Prepend', 'prepend': 'x'} | null | the tokenizer has the step {\"type\":\"Prepend\"",
        "null | {'type': 'Split', 'pattern': {'String': ' '}} | the tokenizer has the step {\"type\":\"Split\"",
        "null | {'type': 'Metaspace', 'split': true} | the tokenizer has the step {\"type\":\"Metaspace\"",
        "{'type': 'Replace'} | {'type': 'Metaspace'} | the tokenizer has the step {\"type\":\"Metaspace\"",
      })
  void otherStepsAreRefused(String normalizer, String splitter, String says) {
    requireRefused(
        change(
            json -> {
              json.set("normalizer", step(normalizer));
              json.set("pre_tokenizer", step(splitter));
            }),
        says);
  }

  private static ObjectNode change(Consumer<ObjectNode> change) {
    ObjectNode json = sentencePiece();
    change.accept(json);
    return json;
  }

  /** A step with the settings that it usually has. */
  private static JsonNode step(String text) {
    JsonNode step = JSON.readTree(text.replace('\'', '"'));
    if (step instanceof ObjectNode object) {
      switch (object.path("type").asString("")) {
        case "Metaspace" -> {
          object.put("replacement", BLANK);
          if (!object.has("split")) {
            object.put("split", false);
          }
        }
        case "Replace" -> {
          object.set("pattern", tree("{\"String\": \" \"}"));
          object.put("content", BLANK);
        }
        case "Split" -> object.put("behavior", "MergedWithPrevious").put("invert", false);
        default -> {}
      }
    }
    return step;
  }

  /** Of a whole tokenizer the scores are those of SentencePiece: the merges are sorted by them. */
  @Test
  void allWaysToJoinAPieceShareItsScore() throws IOException {
    Files.copy(ModelFolders.fixture("gguf/sentencepiece.json"), folder.resolve("tokenizer.json"));
    Files.writeString(folder.resolve("tokenizer_config.json"), "{\"bos_token\": \"<s>\"}");
    TokenizerParts parts = TokenizerParts.read(folder, TextReplacement.NONE);
    VocabularyKeys.Result result = VocabularyKeys.of(PLACE, parts, 481, List.of());
    float[] scores = (float[]) value(result, "tokenizer.ggml.scores");
    List<?> tokens = (List<?>) value(result, "tokenizer.ggml.tokens");
    float last = 0;
    for (TokenizerParts.Merge merge : parts.merges()) {
      float score = scores[tokens.indexOf(merge.joined())];
      assertThat(score).isBetween(last - 1, last);
      last = score;
    }
    assertThat(last).isLessThan(-100);
  }
}
