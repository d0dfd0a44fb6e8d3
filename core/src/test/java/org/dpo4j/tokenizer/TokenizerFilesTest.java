package org.dpo4j.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.dpo4j.DpoException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Closes ids that are not those of transformers' AutoTokenizer without a word about it. Tokenizers,
 * texts and ids are made by src/test/python/record_tokens.py with transformers 5.23.
 */
class TokenizerFilesTest {
  private static final JsonNode RECORDED =
      JsonMapper.shared().readTree(Path.of("src/test/resources/fixtures/token_files.json"));

  /** What is said where transformers builds a tokenizer anew; all others have equal ids. */
  private static final Map<String, String> DIFFERENT =
      Map.of(
          "gpt2_digits_by_class", "its class GPT2Tokenizer, which replaces pre_tokenizer of",
          "list_lost_by_class", "its class GPT2Tokenizer, which replaces added_tokens of",
          "llama2_legacy", "its class LlamaTokenizer, which replaces normalizer, pre_tokenizer of",
          "llama2_not_legacy",
              "its class LlamaTokenizer, which replaces normalizer, pre_tokenizer of",
          "neox_with_bos", "its class GPTNeoXTokenizer, which replaces post_processor of",
          "qwen2_other_pattern",
              "its class Qwen2Tokenizer, which replaces normalizer, pre_tokenizer of");

  private final Path folder;

  TokenizerFilesTest(@TempDir Path folder) {
    this.folder = folder;
  }

  static List<String> cases() {
    return List.copyOf(RECORDED.get("cases").propertyNames());
  }

  @ParameterizedTest
  @MethodSource("cases")
  void idsAreThoseOfTransformersOrTheDifferenceIsSaid(String name) throws IOException {
    JsonNode recorded = RECORDED.get("cases").get(name);
    write(recorded);
    List<String> different = new ArrayList<>();
    try (ModelTokenizer tokenizer = ModelTokenizer.load(folder)) {
      for (int i = 0; i < RECORDED.get("texts").size(); i++) {
        String text = RECORDED.get("texts").get(i).stringValue();
        if (!ids(tokenizer, text).equals(recorded.get("expected").get(i).stringValue())) {
          different.add(text);
        }
      }
      if (DIFFERENT.containsKey(name)) {
        assertThat(different).isNotEmpty();
        assertThat(tokenizer.differences())
            .singleElement()
            .asString()
            .contains(DIFFERENT.get(name));
      } else {
        assertThat(different).isEmpty();
        assertThat(tokenizer.differences()).isEmpty();
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void asTransformersBuildsThemAllHaveItsIds(String name) throws IOException {
    JsonNode recorded = RECORDED.get("cases").get(name);
    write(recorded);
    TokenizerSettings settings = TokenizerSettings.read(folder);
    try (HuggingFaceTextTokenizer tokenizer =
        HuggingFaceTextTokenizer.load(folder, settings, TokenizerSource.TRANSFORMERS)) {
      for (int i = 0; i < RECORDED.get("texts").size(); i++) {
        String text = RECORDED.get("texts").get(i).stringValue();
        assertThat(ids(tokenizer, text))
            .as(text)
            .isEqualTo(recorded.get("expected").get(i).stringValue());
      }
      assertThat(tokenizer.differences()).isEmpty();
    }
  }

  @Test
  void aClassThatIsNotKnownCannotBeBuilt() throws IOException {
    write(RECORDED.get("cases").get("llama3"));
    Files.writeString(
        folder.resolve("tokenizer_config.json"), "{\"tokenizer_class\":\"T5TokenizerFast\"}");
    TokenizerSettings settings = TokenizerSettings.read(folder);

    assertThatThrownBy(
            () -> HuggingFaceTextTokenizer.load(folder, settings, TokenizerSource.TRANSFORMERS))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("the files name T5Tokenizer; leave it out and save");
  }

  @Test
  void thereAreThirtyTokenizersAndSixtyTexts() {
    assertThat(cases()).hasSizeGreaterThanOrEqualTo(30).containsAll(DIFFERENT.keySet());
    assertThat(RECORDED.get("texts")).hasSizeGreaterThanOrEqualTo(60);
  }

  /** 420 pieces, of which 3 is the start of a turn: the next token that is added has 420. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      textBlock =
          """
          tokenizer_config.json | {'added_tokens_decoder':{'421':{'content':'<new>'}}} | tokenizer_config.json] added_tokens_decoder gives the token '<new>' the id 421, but the tokenizers library gives it 420; make
          tokenizer_config.json | {'added_tokens_decoder':{'3':{'content':'<new>'}}}   | the token '<new>' the id 3, but the tokenizers library gives it 420 because '<|im_start|>' has 3 in tokenizer.json
          tokenizer_config.json | {'added_tokens_decoder':{'9':{'content':'</s>'}}}    | the token '</s>' the id 9, but the tokenizers library gives it 2 because
          tokenizer_config.json | {'added_tokens_decoder':{'a':{'content':'</s>'}}}    | added_tokens_decoder must map ids to tokens but has 'a'
          tokenizer_config.json | {'added_tokens_decoder':{'9':'</s>','8':7}}          | added_tokens_decoder must map ids to tokens but has '8': 7
          added_tokens.json     | {'<new>':500}                                        | added_tokens.json] gives the token '<new>' the id 500, but the tokenizers library gives it 420
          added_tokens.json     | {'<new>':'420'}                                      | added_tokens.json] must map tokens to ids but has '<new>': '420'
          tokenizer_config.json | {'split_special_tokens':true}                        | 'split_special_tokens' must be false but is true
          """)
  void aTokenThatCannotHaveItsIdStopsTheRun(String file, String content, String message)
      throws IOException {
    write(RECORDED.get("cases").get("gpt2"));
    Files.delete(folder.resolve("tokenizer_config.json"));
    Files.writeString(folder.resolve(file), content.replace('\'', '"'));

    assertThatThrownBy(() -> ModelTokenizer.load(folder))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining(message.replace('\'', '"'));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      textBlock =
          """
          {'tokenizer_class':'T5TokenizerFast'}             | builds this tokenizer with its class T5Tokenizer; dpo4j uses tokenizer.json as it stands, and token ids can differ
          {'tokenizer_class':'PreTrainedTokenizer'}         |
          {'tokenizer_class':'QWenTokenizer'}               |
          {'tokenizer_class':'BloomTokenizerFast'}          |
          {'tokenizer_class':'LlamaTokenizer'}              |
          {'fast_tokenizer_files':['tokenizer.json']}       |
          {'fast_tokenizer_files':['tokenizer.4.0.0.json']} | names tokenizer.4.0.0.json, which transformers may read in place of tokenizer.json
          """)
  void aClassThatTakesTheFileAsItStandsIsNoDifference(String config, String said)
      throws IOException {
    write(RECORDED.get("cases").get("llama3"));
    Files.writeString(folder.resolve("tokenizer_config.json"), config.replace('\'', '"'));

    try (ModelTokenizer tokenizer = ModelTokenizer.load(folder)) {
      if (said == null) {
        assertThat(tokenizer.differences()).isEmpty();
      } else {
        assertThat(tokenizer.differences()).singleElement().asString().contains(said);
      }
    }
  }

  /**
   * As in Gemma's files, where the class makes the mask token special: no text is cut otherwise.
   */
  @Test
  void aTokenThatOnlyTheClassCallsSpecialIsNoDifference() throws IOException {
    write(RECORDED.get("cases").get("gpt2"));
    Path file = folder.resolve("tokenizer.json");
    ObjectNode json = JsonMapper.shared().readTree(file).asObject();
    for (JsonNode token : json.withArray("added_tokens")) {
      token.asObject().put("special", false);
    }
    Files.writeString(file, json.toString());

    try (ModelTokenizer tokenizer = ModelTokenizer.load(folder)) {
      assertThat(tokenizer.differences()).isEmpty();
    }
  }

  /** The library goes on counting after the last id, whatever the file says. */
  @Test
  void aGapInTheNumbersOfTokenizerJsonIsSaid() throws IOException {
    write(RECORDED.get("cases").get("gpt2"));
    Path file = folder.resolve("tokenizer.json");
    ObjectNode json = JsonMapper.shared().readTree(file).asObject();
    json.withArray("added_tokens").add(AddedToken.special("<gap>").json(430));
    Files.writeString(file, json.toString());

    try (ModelTokenizer tokenizer = ModelTokenizer.load(folder)) {
      assertThat(tokenizer.text().encode("<gap>", false)).containsExactly(420);
      assertThat(tokenizer.differences())
          .singleElement()
          .asString()
          .contains("\"<gap>\" has the id 430 there but 420 in the library");
    }
  }

  @Test
  void addedTokensDecodeToTheirTextAndCountAsVocabulary() throws IOException {
    write(RECORDED.get("cases").get("flags_outside"));

    try (HuggingFaceTextTokenizer tokenizer = HuggingFaceTextTokenizer.load(folder)) {
      assertThat(tokenizer.decode(new int[] {420, 427})).isEqualTo("<left><cä你>");
      assertThat(tokenizer.vocabSize()).isEqualTo(428);
    }
  }

  private static String ids(ModelTokenizer tokenizer, String text) {
    return ids(tokenizer.text(), text);
  }

  private static String ids(TextTokenizer tokenizer, String text) {
    return Arrays.stream(tokenizer.encode(text, true))
        .mapToObj(Integer::toString)
        .collect(Collectors.joining(" "));
  }

  private void write(JsonNode recorded) throws IOException {
    ObjectNode tokenizer =
        RECORDED.get("bases").get(recorded.get("base").stringValue()).deepCopy().asObject();
    recorded
        .get("parts")
        .forEachEntry(
            (part, value) -> {
              if (part.equals("model")) {
                value.forEachEntry(
                    (key, setting) -> tokenizer.withObject("model").set(key, setting));
              } else {
                tokenizer.set(part, value);
              }
            });
    Files.writeString(folder.resolve("tokenizer.json"), tokenizer.toString());
    for (Map.Entry<String, JsonNode> file : recorded.get("files").properties()) {
      Files.writeString(folder.resolve(file.getKey()), file.getValue().toString());
    }
  }
}
