package org.dpo4j.tokenizer;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.dpo4j.options.BoundedFile;
import org.dpo4j.options.Limit;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/** Compares the vocabularies of two model folders. */
public final class TokenizerVocabulary {

  private TokenizerVocabulary() {}

  /**
   * Compares the pieces and the added tokens of two tokenizers. Settings that only affect how text
   * is split are ignored.
   *
   * @return empty if either folder has no readable tokenizer
   */
  public static Optional<Boolean> same(Path folder, Path other) {
    Optional<Meanings> mine = read(folder);
    Optional<Meanings> theirs = read(other);
    return mine.flatMap(meanings -> theirs.map(meanings::equals));
  }

  private record Meanings(@Nullable JsonNode vocab, Map<String, Integer> added) {}

  private static Optional<Meanings> read(Path folder) {
    try {
      Path json = folder.resolve("tokenizer.json");
      TokenizerFile file = TokenizerFile.read(BoundedFile.bytes(json, Limit.TOKENIZER_BYTES));
      return Optional.of(
          new Meanings(file.vocab(), AddedTokens.of(file, TokenizerSettings.read(folder)).ids()));
    } catch (IOException | JacksonException | IllegalArgumentException | DpoException e) {
      return Optional.empty(); // a reference needs no tokenizer
    }
  }
}
