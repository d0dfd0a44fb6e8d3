package org.dpo4j.data;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * One turn of a conversation, with every field of the row in its order, so that a chat template
 * sees what the file says. {@code role} is a string; {@code content} usually is.
 *
 * @param fields JSON values as plain Java: String, Boolean, Integer, Long, Double, List, Map, null
 */
public record Message(Map<String, @Nullable Object> fields) {

  /** The roles that chat templates know. */
  public static final List<String> ROLES =
      List.of("assistant", "user", "system", "tool", "developer");

  public Message {
    if (!(fields.get("role") instanceof String)) {
      throw new IllegalArgumentException("role must be a string but was " + fields.get("role"));
    }
    fields = Collections.unmodifiableMap(new LinkedHashMap<>(fields));
  }

  /** A turn with nothing but role and content. */
  public static Message of(String role, String content) {
    Map<String, @Nullable Object> fields = new LinkedHashMap<>();
    fields.put("role", role);
    fields.put("content", content);
    return new Message(fields);
  }

  public String role() {
    return (String) java.util.Objects.requireNonNull(fields.get("role"));
  }

  public @Nullable Object content() {
    return fields.get("content");
  }

  /** The content where it is a text, the texts of its parts joined where it is a list, else "". */
  public String text() {
    if (content() instanceof List<?> parts) {
      return parts.stream()
          .map(part -> part instanceof Map<?, ?> fields ? String.valueOf(fields.get("text")) : "")
          .collect(Collectors.joining());
    }
    return content() instanceof String text ? text : "";
  }
}
