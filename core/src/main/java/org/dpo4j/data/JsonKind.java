package org.dpo4j.data;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** JSON's names for the types of values, for messages. */
final class JsonKind {
  private JsonKind() {}

  static String of(@Nullable Object value) {
    if (value == null) {
      return "null";
    } else if (value instanceof String) {
      return "a string";
    } else if (value instanceof Boolean) {
      return "a boolean";
    } else if (value instanceof Number) {
      return "a number";
    } else if (value instanceof List<?>) {
      return "a list";
    } else if (value instanceof Map<?, ?>) {
      return "an object";
    } else if (value instanceof byte[]) {
      return "bytes that are no text";
    }
    return value.getClass().getSimpleName();
  }
}
