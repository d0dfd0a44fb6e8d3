package org.dpo4j.tokenizer;

import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * A token that is matched in the text as a whole, before the text is split into pieces.
 *
 * @param content its text
 * @param singleWord whether it must not be part of a longer word
 * @param lstrip whether it includes the white space before it
 * @param rstrip whether it includes the white space after it
 * @param normalized whether it is matched in the normalized text
 * @param special whether it is a control token rather than text
 */
record AddedToken(
    String content,
    boolean singleWord,
    boolean lstrip,
    boolean rstrip,
    boolean normalized,
    boolean special) {

  /** A token as the tokenizers library makes it from its text alone. */
  static AddedToken special(String content) {
    return new AddedToken(content, false, false, false, false, true);
  }

  /**
   * Reads a token written as its text, or as an object with its text and flags.
   *
   * @param special the default of the flag {@code special}
   * @return null if it is neither
   */
  static @Nullable AddedToken read(JsonNode node, boolean special) {
    if (node.isString()) {
      return special(node.stringValue());
    }
    if (!node.path("content").isString()) {
      return null;
    }
    boolean isSpecial = node.path("special").asBoolean(special);
    return new AddedToken(
        node.path("content").stringValue(),
        node.path("single_word").asBoolean(false),
        node.path("lstrip").asBoolean(false),
        node.path("rstrip").asBoolean(false),
        node.path("normalized").asBoolean(!isSpecial),
        isSpecial);
  }

  AddedToken asSpecial() {
    return new AddedToken(content, singleWord, lstrip, rstrip, normalized, true);
  }

  /** As {@code tokenizer.json} lists it. */
  ObjectNode json(int id) {
    return JsonMapper.shared()
        .createObjectNode()
        .put("id", id)
        .put("content", content)
        .put("single_word", singleWord)
        .put("lstrip", lstrip)
        .put("rstrip", rstrip)
        .put("normalized", normalized)
        .put("special", special);
  }
}
