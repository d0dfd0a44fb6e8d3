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
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** The bytes of a row as a JSON object, strictly: what Python's json would refuse is refused. */
final class RowJson {
  private static final JsonMapper STRICT =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
          .build();

  private RowJson() {}

  static Map<?, ?> read(RowOrigin origin, RowSource.RawRow row) {
    if (row.tooLong()) {
      throw new BadRowException(
          origin,
          "row too long",
          "a row must be at most %d MiB; is a line break missing?"
              .formatted(RowSource.MAX_ROW_BYTES >> 20));
    }
    String text = decode(origin, row.bytes());
    if (text.isBlank()) {
      throw new BadRowException(
          origin, "invalid JSON", "nothing stands before the comma or the end; remove the comma");
    }
    Object value = parse(origin, text);
    if (!(value instanceof Map<?, ?> object)) {
      throw new BadRowException(
          origin, "row is not an object", "found " + JsonKind.of(value) + "; write {...}");
    }
    return object;
  }

  /** Any JSON value as plain Java: Map, List, String, number, Boolean or null. */
  static @Nullable Object parse(RowOrigin origin, String text) {
    try {
      Object value = STRICT.readValue(text, Object.class);
      checkValues(origin, value);
      return value;
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

  private static String decode(RowOrigin origin, byte[] bytes) {
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

  /** Half of a surrogate pair cannot be tokenized; an integer beyond a long fits no template. */
  private static void checkValues(RowOrigin origin, @Nullable Object value) {
    if (value instanceof String text) {
      int at = loneSurrogate(text);
      if (at >= 0) {
        throw new BadRowException(
            origin,
            "invalid Unicode",
            "half of a surrogate pair, \\u%04x; write the character itself"
                .formatted((int) text.charAt(at)));
      }
    } else if (value instanceof List<?> list) {
      list.forEach(item -> checkValues(origin, item));
    } else if (value instanceof Map<?, ?> map) {
      map.forEach(
          (key, item) -> {
            checkValues(origin, key);
            checkValues(origin, item);
          });
    } else if (value instanceof BigInteger number) {
      throw new BadRowException(
          origin, "number out of range", number.bitLength() + " bits; at most 64 can be read");
    }
  }

  private static int loneSurrogate(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (Character.isSurrogate(text.charAt(i))) {
        if (!Character.isSupplementaryCodePoint(text.codePointAt(i))) {
          return i;
        }
        i++;
      }
    }
    return -1;
  }
}
