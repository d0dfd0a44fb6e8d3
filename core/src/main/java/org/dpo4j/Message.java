package org.dpo4j;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * One turn of a conversation.
 *
 * <p>Most turns have a role and a text: {@link #user}, {@link #assistant}, {@link #system}. A turn
 * may have more fields, {@code tool_calls} or {@code reasoning_content} for example; the chat
 * template of the model reads them by name.
 *
 * @param fields the fields in their order; {@code role} is a string, and {@code content} usually
 *     is. Values are JSON values as plain Java: String, Boolean, Integer, Long, Double, List, Map,
 *     null
 */
public record Message(Map<String, @Nullable Object> fields) {

  /** The roles that chat templates usually support. */
  public static final List<String> ROLES =
      List.of("assistant", "user", "system", "tool", "developer");

  /**
   * A turn with the given fields.
   *
   * @param fields {@code role}, {@code content} and more
   * @throws IllegalArgumentException if {@code role} is missing or is not a string
   */
  public Message {
    if (!(fields.get("role") instanceof String)) {
      throw new IllegalArgumentException("role must be a string but was " + fields.get("role"));
    }
    fields = Collections.unmodifiableMap(new LinkedHashMap<>(fields));
  }

  /**
   * A turn with a role and a text, and nothing else.
   *
   * @param role one of {@link #ROLES}, or another that the chat template supports
   * @param content the text
   * @return the turn
   */
  public static Message of(String role, String content) {
    Map<String, @Nullable Object> fields = new LinkedHashMap<>();
    fields.put("role", role);
    fields.put("content", content);
    return new Message(fields);
  }

  /**
   * A turn of the user.
   *
   * @param content the text
   * @return the turn
   */
  public static Message user(String content) {
    return of("user", content);
  }

  /**
   * A turn of the model.
   *
   * @param content the text
   * @return the turn
   */
  public static Message assistant(String content) {
    return of("assistant", content);
  }

  /**
   * The system prompt: instructions that hold for the whole conversation.
   *
   * @param content the text
   * @return the turn
   */
  public static Message system(String content) {
    return of("system", content);
  }

  /**
   * The role of the turn, usually one of {@link #ROLES}.
   *
   * @return the field {@code role}
   */
  public String role() {
    return (String) Objects.requireNonNull(fields.get("role"));
  }

  /**
   * The field {@code content}: a string, a list of parts, or null.
   *
   * @return a string, a list of parts, or null
   */
  public @Nullable Object content() {
    return fields.get("content");
  }

  /**
   * The content if it is a text; its text parts joined if it is a list; else "".
   *
   * @return the text, without images and other parts
   */
  public String text() {
    if (content() instanceof List<?> parts) {
      return parts.stream()
          .map(part -> part instanceof Map<?, ?> fields ? String.valueOf(fields.get("text")) : "")
          .collect(Collectors.joining());
    }
    return content() instanceof String text ? text : "";
  }
}
