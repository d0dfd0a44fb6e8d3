package org.dpo4j.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dpo4j.DpoException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes an EOS that is looked for in one of its three spellings only. */
class SpecialTokensTest {
  private static final Path LLAMA = Path.of("src/test/resources/fixtures/models/llama");

  private final Path folder;

  SpecialTokensTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void aTokenIsAStringOrAnObjectOrInTheOlderFile() throws IOException {
    Files.writeString(
        folder.resolve("tokenizer_config.json"),
        "{\"bos_token\":null,\"eos_token\":{\"content\":\"</s>\",\"lstrip\":false}}");
    Files.writeString(
        folder.resolve("special_tokens_map.json"),
        "{\"bos_token\":\"<s>\",\"eos_token\":\"<eos>\",\"pad_token\":\"<pad>\"}");
    assertThat(SpecialTokens.fromModelFolder(folder))
        .isEqualTo(new SpecialTokens(null, "</s>", "<pad>"));
  }

  @Test
  void aFolderWithoutTheFilesHasNone() {
    assertThat(SpecialTokens.fromModelFolder(folder))
        .isEqualTo(new SpecialTokens(null, null, null));
  }

  @Test
  void aDamagedFileIsAnErrorForPeople() throws IOException {
    Files.writeString(folder.resolve("tokenizer_config.json"), "{");
    assertThatThrownBy(() -> SpecialTokens.fromModelFolder(folder))
        .isInstanceOf(DpoException.class)
        .hasMessageContaining("tokenizer_config.json] must be JSON");
  }

  @Test
  void theIdOfEosIsThatOfTheOneTokenItEncodesTo() {
    try (HuggingFaceTextTokenizer tokenizer = HuggingFaceTextTokenizer.load(LLAMA)) {
      assertThat(SpecialTokens.fromModelFolder(LLAMA).eosId(tokenizer)).hasValue(2);
      assertThat(new SpecialTokens(null, "not a token", null).eosId(tokenizer)).isEmpty();
    }
  }
}
