package org.dpo4j.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dpo4j.DpoException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Closes ids that are not those of transformers, and files that bring the process down. */
class HuggingFaceTextTokenizerTest {
  private static final Path LLAMA = Path.of("src/test/resources/fixtures/models/llama");

  private final Path folder;

  HuggingFaceTextTokenizerTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /** Ids and text by transformers 5.23.0 for the same tokenizer.json. */
  @Test
  void agreesWithTransformersOnAwkwardText() {
    String text = "Hello , world . it 's <|im_end|> 😀é e\u0301 \0\r\n end";
    int[] ids = {
      42, 508, 81, 1899, 981, 1878, 362, 924, 85, 223, 2, 223, 175, 256, 249, 225, 1869, 301, 139,
      226, 223, 191, 204, 201, 1062
    };
    try (HuggingFaceTextTokenizer tokenizer = HuggingFaceTextTokenizer.load(LLAMA)) {
      assertThat(tokenizer.encode(text, false)).containsExactly(ids);
      assertThat(tokenizer.decode(ids)).isEqualTo(text);
      assertThat(tokenizer.decode(new int[] {42, 99_999, -1})).isEqualTo("H");
      assertThat(tokenizer.encode("", true)).isEmpty();
      assertThat(tokenizer.vocabSize()).isEqualTo(4096);
    }
  }

  @Test
  void whatTheFileSaysOfTruncationAndPaddingIsNotDone() throws IOException {
    String json = Files.readString(LLAMA.resolve("tokenizer.json"));
    write(
        json.replaceFirst(
                "\"truncation\"\\s*:\\s*null",
                "\"truncation\":{\"direction\":\"Right\",\"max_length\":8,"
                    + "\"strategy\":\"LongestFirst\",\"stride\":0}")
            .replaceFirst(
                "\"padding\"\\s*:\\s*null",
                "\"padding\":{\"strategy\":{\"Fixed\":16},\"direction\":\"Right\","
                    + "\"pad_to_multiple_of\":null,\"pad_id\":0,\"pad_type_id\":0,"
                    + "\"pad_token\":\"<|endoftext|>\"}"));
    assertThat(Files.readString(folder.resolve("tokenizer.json"))).contains("Right", "Fixed");
    try (HuggingFaceTextTokenizer plain = HuggingFaceTextTokenizer.load(LLAMA);
        HuggingFaceTextTokenizer cutting = HuggingFaceTextTokenizer.load(folder)) {
      for (String text : new String[] {"Hi", "many words ".repeat(2000)}) {
        assertThat(cutting.encode(text, true)).isEqualTo(plain.encode(text, true));
      }
      assertThat(cutting.encode("many words ".repeat(2000), true)).hasSizeGreaterThan(2000);
    }
  }

  @Test
  void aMissingFileSaysWhereToGetIt() {
    assertThatThrownBy(() -> HuggingFaceTextTokenizer.load(folder))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("must hold a tokenizer.json");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "{",
        "null",
        "[]",
        "{}",
        "version https://git-lfs.github.com/spec/v1",
        "{\"version\":\"1.0\",\"model\":{\"type\":\"Nothing\",\"vocab\":{\"a\":0}}}",
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}",
        "{\"added_tokens\":[{\"id\":\"x\"}],\"model\":{\"vocab\":{\"a\":0}}}"
      })
  void aDamagedFileIsAnErrorForPeople(String content) throws IOException {
    write(content);
    assertThatThrownBy(() -> HuggingFaceTextTokenizer.load(folder))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("must be a file of the tokenizers library")
        .message()
        .doesNotContain("panicked");
  }

  @Test
  void fileWithInvalidUtf8IsAnErrorForPeople() throws IOException {
    byte[] json = Files.readAllBytes(LLAMA.resolve("tokenizer.json"));
    json[json.length / 2] = (byte) 0xff;
    Files.write(folder.resolve("tokenizer.json"), json);
    assertThatThrownBy(() -> HuggingFaceTextTokenizer.load(folder))
        .isInstanceOf(DpoException.class);
  }

  @Test
  void nothingIsReportedToAnybody() {
    HuggingFaceTextTokenizer.load(LLAMA).close();
    String env = System.getenv("OPT_OUT_TRACKING");
    assertThat(env == null ? System.getProperty("OPT_OUT_TRACKING") : env).isEqualTo("true");
  }

  private void write(String json) throws IOException {
    Files.write(folder.resolve("tokenizer.json"), json.getBytes(StandardCharsets.UTF_8));
  }

  /** The library counts code points; an emoji is one of them and two UTF-16 units. */
  @Test
  void thePlacesOfTokensAreUtf16Units() {
    String text = "a \uD83D\uDE00 b \u00E9\uD83D\uDE00c";
    try (HuggingFaceTextTokenizer tokenizer = HuggingFaceTextTokenizer.load(LLAMA)) {
      TextTokenizer.PlacedTokens placed = tokenizer.encodeWithPlaces(text, false).orElseThrow();

      assertThat(placed.ids()).isEqualTo(tokenizer.encode(text, false));
      int end = 0;
      for (int i = 0; i < placed.ids().length; i++) {
        assertThat(placed.starts()[i]).isLessThanOrEqualTo(end);
        assertThat(placed.ends()[i]).isGreaterThanOrEqualTo(end);
        end = placed.ends()[i];
      }
      assertThat(end).isEqualTo(text.length());
      assertThat(placed.starts()).contains(text.indexOf('b') - 1);
    }
  }
}
