package org.dpo4j.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: a reference whose ids mean other words, which would give numbers without a meaning. */
class TokenizerVocabularyTest {

  private static final String TOKENIZER =
      "{\"model\": {\"vocab\": {\"a\": 0, \"b\": 1}}, \"added_tokens\": [{\"id\": 2, \"content\":"
          + " \"</s>\"}], \"normalizer\": null}";

  private final Path mine;
  private final Path theirs;

  TokenizerVocabularyTest(@TempDir Path folder) throws IOException {
    mine = Files.createDirectory(folder.resolve("mine"));
    theirs = Files.createDirectory(folder.resolve("theirs"));
    Files.writeString(mine.resolve("tokenizer.json"), TOKENIZER);
  }

  @Test
  void theSamePiecesAreOneVocabularyWhateverElseIsInTheFile() throws IOException {
    write(
        TOKENIZER
            .replace("null", "{\"type\": \"NFC\"}")
            .replace("\"a\": 0, \"b\": 1", "\"b\": 1, \"a\": 0"));
    assertThat(TokenizerVocabulary.same(mine, theirs)).contains(true);
  }

  @Test
  void anotherPieceOrAddedTokenIsAnotherVocabulary() throws IOException {
    write(TOKENIZER.replace("\"b\": 1", "\"c\": 1"));
    assertThat(TokenizerVocabulary.same(mine, theirs)).contains(false);
    write(TOKENIZER.replace("</s>", "<eos>"));
    assertThat(TokenizerVocabulary.same(mine, theirs)).contains(false);
  }

  @Test
  void aFolderWithoutATokenizerSaysNothing() throws IOException {
    assertThat(TokenizerVocabulary.same(mine, theirs)).isEmpty();
    write("{");
    assertThat(TokenizerVocabulary.same(mine, theirs)).isEmpty();
  }

  private void write(String json) throws IOException {
    Files.writeString(theirs.resolve("tokenizer.json"), json);
  }
}
