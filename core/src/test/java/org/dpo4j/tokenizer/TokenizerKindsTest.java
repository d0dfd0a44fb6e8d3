package org.dpo4j.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes ids that are right for one kind of tokenizer only. The expected ids were made by Python's
 * tokenizers library (src/test/python/make_tokenizers.py); each file asks for truncation to 4
 * tokens, which neither side may do.
 */
class TokenizerKindsTest {
  private static final Path FOLDER = Path.of("src/test/resources/fixtures/tokenizers");

  @ParameterizedTest
  @ValueSource(
      strings = {"byte_level_bpe", "metaspace_bpe_with_byte_fallback", "unigram", "word_piece"})
  void idsAndTextAreThoseOfPython(String kind) throws IOException {
    Path folder = FOLDER.resolve(kind);
    JsonNode rows = JsonMapper.shared().readTree(folder.resolve("expected.json"));
    assertThat(rows).hasSize(9);
    try (HuggingFaceTextTokenizer tokenizer = HuggingFaceTextTokenizer.load(folder)) {
      for (JsonNode row : rows) {
        String text = row.get("text").stringValue();
        int[] ids = tokenizer.encode(text, false);
        assertThat(list(ids)).as(text).isEqualTo(ints(row.get("ids")));
        assertThat(list(tokenizer.encode(text, true)))
            .as(text)
            .isEqualTo(ints(row.get("ids_with_special")));
        assertThat(tokenizer.decode(ids)).isEqualTo(row.get("decoded").stringValue());
        assertThat(Arrays.stream(ids).allMatch(id -> id < tokenizer.vocabSize())).isTrue();
      }
    }
  }

  private static List<Integer> list(int[] ids) {
    return Arrays.stream(ids).boxed().toList();
  }

  private static List<Integer> ints(JsonNode ids) {
    List<Integer> list = new ArrayList<>();
    ids.forEach(id -> list.add(id.intValue()));
    return list;
  }
}
