package org.dpo4j.tokenizer;

import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * The parts of {@code tokenizer.json} that tell which ids exist. The rest, merges above all, is
 * passed over while reading.
 */
record TokenizerFile(@Nullable Model model, @Nullable List<AddedToken> added_tokens) {

  /** {@code vocab} maps pieces to ids, or lists [piece, score] in order of ids (Unigram). */
  record Model(@Nullable JsonNode vocab) {}

  record AddedToken(int id) {}

  /** One more than the largest id; 0 if the file names none. */
  int vocabSize() {
    int size = 0;
    JsonNode vocab = model == null ? null : model.vocab();
    if (vocab != null && vocab.isArray()) {
      size = vocab.size();
    } else if (vocab != null) {
      for (JsonNode id : vocab) {
        size = Math.max(size, id.asInt(-1) + 1);
      }
    }
    if (added_tokens != null) {
      for (AddedToken token : added_tokens) {
        size = Math.max(size, token.id() + 1);
      }
    }
    return size;
  }
}
