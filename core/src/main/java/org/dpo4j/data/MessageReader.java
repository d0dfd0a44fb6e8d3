package org.dpo4j.data;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.dpo4j.Message;
import org.jspecify.annotations.Nullable;

/**
 * Reads and checks the turns of a conversation. A turn is {@code role} and {@code content}, which
 * stay as they are, or ShareGPT's {@code from} and {@code value}: {@code human} is the user, {@code
 * gpt} the assistant, {@code observation} a tool's result and {@code function_call} a turn of the
 * assistant that calls one, with the call as JSON.
 */
final class MessageReader {
  private static final String FUNCTION_CALL = "function_call";

  /** The role names in use, and those in TRL's own example of this form. */
  private static final Map<String, String> ROLES =
      Map.of(
          "human",
          "user",
          "user",
          "user",
          "gpt",
          "assistant",
          "assistant",
          "assistant",
          "system",
          "system",
          "observation",
          "tool",
          "tool",
          "tool",
          FUNCTION_CALL,
          "assistant");

  private MessageReader() {}

  static List<Message> all(RowFields row, String field, List<?> turns) {
    List<Message> messages = new ArrayList<>(turns.size());
    for (Object turn : turns) {
      messages.add(one(row, field, "turn %d of ".formatted(messages.size() + 1), turn));
    }
    return messages;
  }

  /** A field that holds one turn instead of a list. */
  static Message one(RowFields row, String field, @Nullable Object turn) {
    return one(row, field, "", turn);
  }

  private static Message one(RowFields row, String field, String turnOf, @Nullable Object turn) {
    String quoted = "\"" + field + "\"";
    String where = turnOf + quoted;
    if (!(turn instanceof Map<?, ?> fields)) {
      throw row.bad(
          "message that is not an object in " + quoted,
          "%s is %s; write {\"role\": ..., \"content\": ...}".formatted(where, JsonKind.of(turn)));
    }
    if (fields.containsKey("from") && !fields.containsKey("role")) {
      return fromAndValue(row, quoted, where, fields);
    }
    if (!(fields.get("role") instanceof String role)) {
      throw row.bad(
          "message without role in " + quoted,
          where + " must have a string \"role\"; found " + RowFields.listed(fields));
    }
    checkSpelling(row, quoted, where, role);
    Object content = fields.get("content");
    if (!(content instanceof String)
        && !(content == null && fields.get("tool_calls") != null)
        && !(content instanceof List<?> parts && parts.stream().allMatch(MessageReader::isText))) {
      throw row.bad(
          "message without text content in " + quoted,
          "%s must have \"content\" that is a string or a list of text parts; found %s"
              .formatted(where, RowFields.listed(fields)));
    }
    Map<String, @Nullable Object> copy = new LinkedHashMap<>();
    fields.forEach((key, value) -> copy.put((String) key, value));
    return new Message(copy);
  }

  /** Templates render any role verbatim, so a misspelled one would be trained on. */
  private static void checkSpelling(RowFields row, String quoted, String where, String role) {
    if (Message.ROLES.contains(role)) {
      return;
    }
    String plain = role.strip().toLowerCase(Locale.ROOT);
    for (String known : Message.ROLES) {
      if (plain.equals(known) || isOneSlip(plain, known)) {
        throw row.bad(
            "misspelt role in " + quoted,
            "%s has the role \"%s\"; write \"%s\"".formatted(where, role, known));
      }
    }
  }

  /** Whether the names differ by one substitution, insertion, deletion or swap of neighbours. */
  private static boolean isOneSlip(String role, String known) {
    int shorter = Math.min(role.length(), known.length());
    int start = 0;
    while (start < shorter && role.charAt(start) == known.charAt(start)) {
      start++;
    }
    int end = 0;
    while (end < shorter - start
        && role.charAt(role.length() - 1 - end) == known.charAt(known.length() - 1 - end)) {
      end++;
    }
    String is = role.substring(start, role.length() - end);
    String must = known.substring(start, known.length() - end);
    return (is.length() <= 1 && must.length() <= 1)
        || (is.length() == 2 && new StringBuilder(is).reverse().toString().equals(must));
  }

  private static Message fromAndValue(
      RowFields row, String quoted, String where, Map<?, ?> fields) {
    String role = fields.get("from") instanceof String from ? ROLES.get(from) : null;
    if (role == null) {
      throw row.bad(
          "unknown role in " + quoted,
          "%s is from %s; write human, gpt, system, observation or function_call"
              .formatted(
                  where,
                  fields.get("from") instanceof String from
                      ? "\"" + from + "\""
                      : JsonKind.of(fields.get("from"))));
    }
    if (!(fields.get("value") instanceof String value)) {
      throw row.bad(
          "message without text content in " + quoted,
          "%s must have a string \"value\"; found %s".formatted(where, RowFields.listed(fields)));
    }
    Map<String, @Nullable Object> copy = new LinkedHashMap<>();
    copy.put("role", role);
    if (FUNCTION_CALL.equals(fields.get("from"))) {
      copy.put("tool_calls", toolCalls(row, where, value));
    } else {
      copy.put("content", value);
    }
    fields.forEach((key, kept) -> copy.putIfAbsent((String) key, kept));
    copy.remove("from");
    copy.remove("value");
    return new Message(copy);
  }

  /**
   * One call {@code {"name": ..., "arguments": {...}}} or a list of them, in the form that chat
   * templates expect.
   */
  private static List<Object> toolCalls(RowFields row, String where, String json) {
    Object value;
    try {
      value = RowJson.parse(row.origin(), json);
    } catch (BadRowException e) {
      throw row.bad(
          "function call that is not JSON",
          where + " must hold {\"name\": ..., \"arguments\": {...}} as JSON in its \"value\"");
    }
    List<?> calls = value instanceof List<?> list ? list : Collections.singletonList(value);
    List<Object> toolCalls = new ArrayList<>(calls.size());
    for (Object call : calls) {
      if (!(call instanceof Map<?, ?> function)
          || !(function.get("name") instanceof String)
          || !(function.get("arguments") instanceof Map<?, ?>)) {
        throw row.bad(
            "function call without name or arguments",
            "%s must hold {\"name\": ..., \"arguments\": {...}} or a list of them; found %s"
                .formatted(
                    where,
                    call instanceof Map<?, ?> found ? RowFields.listed(found) : JsonKind.of(call)));
      }
      Map<String, Object> toolCall = new LinkedHashMap<>();
      toolCall.put("type", "function");
      toolCall.put("function", function);
      toolCalls.add(toolCall);
    }
    if (toolCalls.isEmpty()) {
      throw row.bad("function call without name or arguments", where + " holds no call");
    }
    return toolCalls;
  }

  private static boolean isText(@Nullable Object part) {
    return part instanceof Map<?, ?> fields
        && "text".equals(fields.get("type"))
        && fields.get("text") instanceof String;
  }
}
