package org.dpo4j.tokenizer;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.dpo4j.data.BoundedJson;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;

/**
 * The parts of {@code tokenizer.json} that define the ids and how text is split. Merges are skipped
 * while reading.
 */
record TokenizerFile(
    @Nullable Model model,
    @Nullable List<JsonNode> added_tokens,
    @Nullable JsonNode normalizer,
    @Nullable JsonNode pre_tokenizer,
    @Nullable JsonNode post_processor,
    @Nullable JsonNode decoder) {

  private static final String ADDED_TOKENS = "added_tokens";

  /** {@code vocab} maps pieces to ids, or lists [piece, score] in order of ids (Unigram). */
  record Model(
      @Nullable String type,
      @Nullable JsonNode vocab,
      @Nullable JsonNode dropout,
      @Nullable JsonNode unk_token,
      @Nullable JsonNode continuing_subword_prefix,
      @Nullable JsonNode end_of_word_suffix,
      @Nullable JsonNode fuse_unk,
      @Nullable JsonNode byte_fallback,
      @Nullable JsonNode ignore_merges) {}

  static TokenizerFile read(byte[] json) {
    return BoundedJson.LENIENT.readValue(json, TokenizerFile.class);
  }

  @Nullable JsonNode vocab() {
    return model == null ? null : model.vocab();
  }

  /**
   * The file with other added tokens and everything else byte for byte, such as scores.
   *
   * @param json a JSON object in UTF-8
   */
  static byte[] withAddedTokens(byte[] json, ArrayNode tokens) {
    byte[] value = JsonMapper.shared().writeValueAsBytes(tokens);
    try (JsonParser parser = BoundedJson.LENIENT.createParser(json)) {
      parser.nextToken();
      int inside = (int) parser.currentLocation().getByteOffset();
      while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
        boolean found = parser.currentName().equals(ADDED_TOKENS);
        parser.nextToken();
        int start = (int) parser.currentTokenLocation().getByteOffset();
        parser.skipChildren();
        if (found) {
          return spliced(json, start, value, (int) parser.currentLocation().getByteOffset());
        }
      }
      byte[] property = ("\"" + ADDED_TOKENS + "\":").getBytes(StandardCharsets.UTF_8);
      ByteArrayOutputStream first = new ByteArrayOutputStream();
      first.writeBytes(property);
      first.writeBytes(value);
      first.write(',');
      return spliced(json, inside, first.toByteArray(), inside);
    }
  }

  private static byte[] spliced(byte[] json, int start, byte[] value, int end) {
    ByteArrayOutputStream result = new ByteArrayOutputStream(json.length + value.length);
    result.write(json, 0, start);
    result.writeBytes(value);
    result.write(json, end, json.length - end);
    return result.toByteArray();
  }
}
