package org.dpo4j.data;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * Parses the bytes of a row as a JSON object, as strictly as Python's json. Values that no template
 * or tokenizer accepts are refused where they are used.
 */
final class RowJson {
  private static final JsonMapper STRICT =
      BoundedJson.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          // Python writes these; they are harmless in ignored columns. See check().
          .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
          .build();

  private static final Pattern PYTHON = Pattern.compile("\\s*\\{\\s*'");

  private RowJson() {}

  static Map<?, ?> read(RowOrigin origin, byte[] bytes) {
    String text = decode(origin, bytes);
    if (text.startsWith("\uFEFF")) { // concatenated files with byte order marks
      text = text.substring(1);
    }
    if (text.isBlank()) {
      throw new BadRowException(
          origin, "invalid JSON", "nothing stands before the comma or the end; remove the comma");
    }
    if (PYTHON.matcher(text).lookingAt()) {
      throw new BadRowException(
          origin,
          "invalid JSON",
          "the row is in Python's notation, with single quotes; write rows with json.dumps(row)");
    }
    Object value = unchecked(origin, text);
    if (!(value instanceof Map<?, ?> object)) {
      throw new BadRowException(
          origin, "row is not an object", "found " + JsonKind.of(value) + "; write {...}");
    }
    return object;
  }

  /** Any JSON value as plain Java: Map, List, String, number, Boolean or null. */
  static @Nullable Object parse(RowOrigin origin, String text) {
    Object value = unchecked(origin, text);
    check(origin, value);
    return value;
  }

  private static @Nullable Object unchecked(RowOrigin origin, String text) {
    try {
      return STRICT.readValue(text, Object.class);
    } catch (JacksonException e) {
      boolean duplicate = e.getOriginalMessage().startsWith("Duplicate");
      throw new BadRowException(
          origin,
          duplicate ? "duplicate key" : "invalid JSON",
          JsonFault.words(e)
              + (e.getLocation() == null
                  ? ""
                  : " (character %d of the row)".formatted(e.getLocation().getCharOffset())));
    }
  }

  /** As above, for text that need not be JSON. */
  static @Nullable Object valueOrNull(String text) {
    try {
      return STRICT.readValue(text, Object.class);
    } catch (JacksonException e) {
      return null;
    }
  }

  /** Decodes strict UTF-8; the message of an error gives the byte offset in {@code bytes}. */
  static String decode(RowOrigin origin, byte[] bytes) {
    CharsetDecoder decoder =
        StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT)
            .onUnmappableCharacter(CodingErrorAction.REPORT);
    ByteBuffer in = ByteBuffer.wrap(bytes);
    CharBuffer out = CharBuffer.allocate(bytes.length);
    CoderResult result = decoder.decode(in, out, true);
    if (result.isError()) {
      throw new BadRowException(
          origin,
          "invalid UTF-8",
          "byte 0x%02x at offset %d of the row; save the file as UTF-8"
              .formatted(bytes[in.position()], in.position()));
    }
    return out.flip().toString();
  }

  /**
   * Checks a value that is used: tokenizers reject unpaired surrogates, and templates reject NaN
   * and integers beyond a long.
   *
   * @throws BadRowException if it contains one of these
   */
  static void check(RowOrigin origin, @Nullable Object value) {
    if (value instanceof String text) {
      int at = JsonFault.loneSurrogate(text);
      if (at >= 0) {
        throw new BadRowException(
            origin,
            "invalid Unicode",
            "half of a surrogate pair, \\u%04x; write the character itself"
                .formatted((int) text.charAt(at)));
      }
    } else if (value instanceof List<?> list) {
      list.forEach(item -> check(origin, item));
    } else if (value instanceof Map<?, ?> map) {
      map.forEach(
          (key, item) -> {
            check(origin, key);
            check(origin, item);
          });
    } else if (value instanceof BigInteger number) {
      throw new BadRowException(
          origin, "number out of range", number.bitLength() + " bits; at most 64 can be read");
    } else if (value instanceof Double number && !Double.isFinite(number)) {
      throw new BadRowException(
          origin, "number out of range", number + "; JSON has finite numbers only");
    }
  }
}
