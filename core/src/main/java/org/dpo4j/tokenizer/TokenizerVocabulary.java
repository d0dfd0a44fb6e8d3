package org.dpo4j.tokenizer;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Whether two model folders mean the same by an id. */
public final class TokenizerVocabulary {

  private static final String FILE = "tokenizer.json";

  private TokenizerVocabulary() {}

  /**
   * Compares the pieces and the added tokens of two tokenizers. What only decides how text is cut
   * does not count: ids that are there already mean the same.
   *
   * @return empty where one of the folders has no {@code tokenizer.json} that can be read
   */
  public static Optional<Boolean> same(Path folder, Path other) {
    Optional<JsonNode> mine = read(folder);
    Optional<JsonNode> theirs = read(other);
    if (mine.isEmpty() || theirs.isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(
        mine.get().at("/model/vocab").equals(theirs.get().at("/model/vocab"))
            && added(mine.get()).equals(added(theirs.get())));
  }

  /** Ids and contents of the added tokens. */
  private static Map<Integer, String> added(JsonNode tokenizer) {
    Map<Integer, String> tokens = new TreeMap<>();
    for (JsonNode token : tokenizer.path("added_tokens")) {
      tokens.put(token.path("id").asInt(-1), token.path("content").asString(""));
    }
    return tokens;
  }

  private static Optional<JsonNode> read(Path folder) {
    Path file = folder.resolve(FILE);
    if (!Files.isRegularFile(file)) {
      return Optional.empty();
    }
    try {
      return Optional.of(JsonMapper.shared().readTree(file));
    } catch (JacksonException e) {
      return Optional.empty(); // a reference needs no tokenizer
    }
  }
}
