package org.dpo4j.tokenizer;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** The pieces of {@code tokenizer.json} and their ids. */
final class Vocabulary {

  /** Far above any vocabulary; a count of ids never overflows. */
  static final int LARGEST_ID = 1 << 24;

  private final @Nullable JsonNode vocab;
  private @Nullable Map<String, Integer> listed; // of a list, made on first use

  /**
   * @param vocab maps pieces to ids, or lists [piece, score] in order of ids (Unigram)
   */
  Vocabulary(@Nullable JsonNode vocab) {
    this.vocab = vocab;
    if (vocab != null && !vocab.isArray()) {
      for (JsonNode id : vocab) {
        if (!id.isInt() || id.intValue() < 0 || id.intValue() > LARGEST_ID) {
          throw new IllegalArgumentException(
              "the vocabulary must give ids from 0 to %d but gives %.80s"
                  .formatted(LARGEST_ID, id));
        }
      }
    }
  }

  int size() {
    return vocab == null ? 0 : vocab.size();
  }

  /** One more than the largest id. */
  int idBound() {
    if (vocab == null || vocab.isArray()) {
      return size();
    }
    int bound = 0;
    for (JsonNode id : vocab) {
      bound = Math.max(bound, id.asInt(-1) + 1);
    }
    return bound;
  }

  @Nullable Integer id(String content) {
    if (vocab == null) {
      return null;
    }
    if (!vocab.isArray()) {
      JsonNode id = vocab.get(content);
      return id == null || !id.isInt() ? null : Integer.valueOf(id.intValue());
    }
    if (listed == null) {
      Map<String, Integer> ids = new HashMap<>();
      for (int i = 0; i < vocab.size(); i++) {
        ids.put(vocab.get(i).path(0).asString(""), i);
      }
      listed = ids;
    }
    return listed.get(content);
  }

  boolean has(String content) {
    return id(content) != null;
  }

  /**
   * Whether there is a piece for every byte, so that no text is unknown.
   *
   * @param fallback true for pieces such as {@code <0x0A>}, false for the characters of byte-level
   *     BPE
   */
  boolean coversBytes(boolean fallback) {
    int other = 256; // byte-level BPE maps unprintable bytes to these
    for (int b = 0; b < 256; b++) {
      boolean printable = (b > 32 && b < 127) || (b > 160 && b != 173);
      String piece =
          fallback ? "<0x%02X>".formatted(b) : Character.toString(printable ? b : other++);
      if (!has(piece)) {
        return false;
      }
    }
    return true;
  }

  /** The piece with an id, for messages. */
  @Nullable String content(int id) {
    if (vocab == null) {
      return null;
    }
    if (vocab.isArray()) {
      return id < vocab.size() ? vocab.get(id).path(0).asString("") : null;
    }
    for (Map.Entry<String, JsonNode> entry : vocab.properties()) {
      if (entry.getValue().asInt(-1) == id) {
        return entry.getKey();
      }
    }
    return null;
  }
}
