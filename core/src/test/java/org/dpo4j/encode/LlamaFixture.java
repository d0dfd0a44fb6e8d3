package org.dpo4j.encode;

import java.nio.file.Path;
import org.dpo4j.tokenizer.ModelTokenizer;
import org.dpo4j.tokenizer.SpecialTokens;
import org.dpo4j.tokenizer.TextTokenizer;

/** The text side of the tiny Llama fixture, chat template included. */
final class LlamaFixture {
  static final Path FIXTURES = Path.of("src/test/resources/fixtures");
  static final Path FOLDER = FIXTURES.resolve("models/llama");
  private static final ModelTokenizer MODEL = ModelTokenizer.load(FOLDER);
  static final TextTokenizer TOKENIZER = MODEL.text();
  static final int POSITIONS = 512;
  static final int VOCABULARY = 4096;

  private LlamaFixture() {}

  static ExampleEncoder encoder(int maxLength) {
    return new ExampleEncoder(
        TOKENIZER,
        MODEL.template(),
        SpecialTokens.fromModelFolder(FOLDER),
        new EncodingLimits(maxLength, POSITIONS, VOCABULARY));
  }
}
