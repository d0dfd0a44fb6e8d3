package org.dpo4j.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Closes: streamed text with broken characters or lost spaces. */
class IncrementalDecoderTest {

  private static final String TEXT = " Zürich, 東京 and 🙂🙃;  two spaces\nand a line";

  @ParameterizedTest
  @ValueSource(strings = {"byte_level_bpe", "metaspace_bpe_with_byte_fallback", "unigram"})
  void piecesJoinedAreTheTextAndNoPieceEndsInsideACharacter(String name) {
    try (HuggingFaceTextTokenizer tokenizer =
        HuggingFaceTextTokenizer.load(
            Path.of("src/test/resources/fixtures/tokenizers").resolve(name))) {
      int[] ids = tokenizer.encode(TEXT, false);
      String whole = tokenizer.decode(ids);
      IncrementalDecoder decoder = new IncrementalDecoder(tokenizer);
      List<String> pieces = new ArrayList<>();
      for (int id : ids) {
        pieces.add(decoder.add(id));
      }
      String held = decoder.finish();

      assertThat(String.join("", pieces) + held).isEqualTo(whole);
      assertThat(pieces).noneMatch(piece -> piece.endsWith("\uFFFD"));
      assertThat(pieces.stream().filter(piece -> !piece.isEmpty())).hasSizeGreaterThan(5);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"byte_level_bpe", "metaspace_bpe_with_byte_fallback"})
  void anIncompleteCharacterIsHeldBackUntilTheEnd(String name) {
    try (HuggingFaceTextTokenizer tokenizer =
        HuggingFaceTextTokenizer.load(
            Path.of("src/test/resources/fixtures/tokenizers").resolve(name))) {
      int[] ids = tokenizer.encode("🙂", false);
      IncrementalDecoder decoder = new IncrementalDecoder(tokenizer);
      StringBuilder before = new StringBuilder();
      for (int i = 0; i < ids.length - 1; i++) {
        before.append(decoder.add(ids[i]));
      }

      assertThat(before.toString().strip()).isEmpty();
      assertThat(decoder.finish()).contains("\uFFFD");
    }
  }
}
