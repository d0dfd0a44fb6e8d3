package org.dpo4j.encode;

import java.nio.file.Path;
import org.dpo4j.data.Message;
import org.dpo4j.tokenizer.ChatRenderer;
import org.dpo4j.tokenizer.HuggingFaceTextTokenizer;
import org.dpo4j.tokenizer.SpecialTokens;

/** The tokenizer of the tiny Llama fixture and its chat template, written by hand. */
final class LlamaFixture {
  static final Path FIXTURES = Path.of("src/test/resources/fixtures");
  static final Path FOLDER = FIXTURES.resolve("models/llama");
  static final HuggingFaceTextTokenizer TOKENIZER = HuggingFaceTextTokenizer.load(FOLDER);
  static final int POSITIONS = 512;
  static final int VOCABULARY = 4096;

  static final ChatRenderer TEMPLATE =
      (messages, addGenerationPrompt) -> {
        StringBuilder text = new StringBuilder();
        for (Message message : messages) {
          text.append("<|im_start|>").append(message.role()).append('\n');
          text.append(message.content()).append("<|im_end|>\n");
        }
        return text.append(addGenerationPrompt ? "<|im_start|>assistant\n" : "").toString();
      };

  private LlamaFixture() {}

  static PairEncoder encoder(int maxLength) {
    return new PairEncoder(
        TOKENIZER,
        TEMPLATE,
        SpecialTokens.fromModelFolder(FOLDER),
        new EncodingLimits(maxLength, POSITIONS, VOCABULARY));
  }
}
