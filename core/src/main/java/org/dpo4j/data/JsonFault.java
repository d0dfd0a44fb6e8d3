package org.dpo4j.data;

import tools.jackson.core.JacksonException;
import tools.jackson.databind.DatabindException;

/** Describes errors in JSON. */
public final class JsonFault {
  private JsonFault() {}

  /** The parser's reason on one line, without names of its settings and classes. */
  public static String words(JacksonException failure) {
    String message = failure.getOriginalMessage().lines().findFirst().orElse("");
    if (message.startsWith("Trailing token")) {
      return "something stands after the value";
    }
    if (message.startsWith("No content")) {
      return "it is empty";
    }
    if (failure instanceof DatabindException) {
      return "a value is of another kind than it must be";
    }
    return message.replaceAll(" \\(start marker at .*|: enable `.*|, from `[^`]*`", "");
  }

  /** Where a text has half of a surrogate pair, which JSON can escape; negative if nowhere. */
  public static int loneSurrogate(String text) {
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
