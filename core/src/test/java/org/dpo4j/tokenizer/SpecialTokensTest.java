package org.dpo4j.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
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

  /** The expected maps are those of AutoTokenizer.from_pretrained, transformers 5.23. */
  @Test
  void aTokenIsAStringOrAnObjectAndTheOlderFileWins() throws IOException {
    Files.writeString(
        folder.resolve("tokenizer_config.json"),
        "{\"bos_token\":null,\"eos_token\":{\"content\":\"</s>\",\"lstrip\":false}}");
    Files.writeString(
        folder.resolve("special_tokens_map.json"),
        "{\"bos_token\":\"<s>\",\"pad_token\":{\"content\":\"<pad>\"}}");
    assertThat(SpecialTokens.fromModelFolder(folder))
        .isEqualTo(new SpecialTokens("<s>", "</s>", "<pad>"));
  }

  @Test
  void besideAddedTokensTheOlderFileIsNotRead() throws IOException {
    Files.writeString(
        folder.resolve("tokenizer_config.json"),
        "{\"eos_token\":\"</s>\",\"added_tokens_decoder\":{}}");
    Files.writeString(folder.resolve("special_tokens_map.json"), "{\"eos_token\":\"<eos>\"}");
    assertThat(SpecialTokens.fromModelFolder(folder))
        .isEqualTo(new SpecialTokens(null, "</s>", null));
  }

  @Test
  void rolesThatOnlyOneModelHasReachTheTemplate() throws IOException {
    Files.writeString(
        folder.resolve("tokenizer_config.json"),
        "{\"eos_token\":\"</s>\",\"audio_token\":\"<a>\",\"add_bos_token\":true,"
            + "\"extra_special_tokens\":{\"image_token\":\"<i>\"},"
            + "\"additional_special_tokens\":[\"<x>\"]}");
    assertThat(SpecialTokens.fromModelFolder(folder).named())
        .isEqualTo(Map.of("eos_token", "</s>", "audio_token", "<a>", "image_token", "<i>"));
  }

  @Test
  void gpt2AndQwenHaveTokensThatTheirFilesNeedNotName() throws IOException {
    Files.writeString(folder.resolve("tokenizer_config.json"), "{\"model_max_length\":1024}");
    Files.writeString(folder.resolve("config.json"), "{\"model_type\":\"gpt2\"}");
    assertThat(SpecialTokens.fromModelFolder(folder).named())
        .isEqualTo(
            Map.of(
                "bos_token", "<|endoftext|>",
                "eos_token", "<|endoftext|>",
                "unk_token", "<|endoftext|>"));
    Files.writeString(
        folder.resolve("tokenizer_config.json"),
        "{\"eos_token\":\"<|im_end|>\",\"unk_token\":null}");
    Files.writeString(folder.resolve("config.json"), "{\"model_type\":\"qwen3\"}");
    assertThat(SpecialTokens.fromModelFolder(folder).named())
        .isEqualTo(Map.of("eos_token", "<|im_end|>", "pad_token", "<|endoftext|>"));
  }

  @Test
  void answersEndWhereTheGenerationConfigSays() throws IOException {
    Files.writeString(folder.resolve("config.json"), "{\"eos_token_id\":7}");
    assertThat(SpecialTokens.fromModelFolder(folder).endIds()).containsExactly(7);
    Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\":[1,106]}");
    assertThat(SpecialTokens.fromModelFolder(folder).endIds()).containsExactly(1, 106);
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
