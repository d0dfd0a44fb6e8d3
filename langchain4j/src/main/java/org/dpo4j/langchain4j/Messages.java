package org.dpo4j.langchain4j;

import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.Content;
import dev.langchain4j.data.message.CustomMessage;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.TextContent;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.UnsupportedFeatureException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.Message;
import org.jspecify.annotations.Nullable;

/** Turns messages of LangChain4j into those that the chat template renders. */
final class Messages {

  private Messages() {}

  /**
   * A turn with all that the message says.
   *
   * @throws UnsupportedFeatureException if it has more than texts
   * @throws InvalidRequestException if the fields of a custom message are not those of a turn
   */
  static Message of(ChatMessage message) {
    if (message instanceof SystemMessage system) {
      return Message.system(system.text());
    }
    if (message instanceof UserMessage user) {
      return turn("user", text(user), "name", user.name());
    }
    if (message instanceof AiMessage answer) {
      if (answer.hasToolExecutionRequests()) {
        throw noTools("an AiMessage with tool execution requests");
      }
      if (!answer.images().isEmpty()) {
        throw new UnsupportedFeatureException(
            "an AiMessage with images is not supported, since the model reads text alone; leave them out");
      }
      String text = answer.text() == null ? "" : answer.text();
      return turn("assistant", text, "reasoning_content", answer.thinking());
    }
    if (message instanceof CustomMessage custom) {
      return custom(custom.attributes());
    }
    throw noTools(message.getClass().getSimpleName());
  }

  private static UnsupportedFeatureException noTools(String what) {
    return new UnsupportedFeatureException(
        "%s is not supported, since the model calls no tools; leave it out, or pass a CustomMessage with the fields that the chat template reads"
            .formatted(what));
  }

  private static Message turn(
      String role, String content, String furtherField, @Nullable String further) {
    Message turn = Message.of(role, content);
    if (further == null) {
      return turn;
    }
    Map<String, @Nullable Object> fields = new LinkedHashMap<>(turn.fields());
    fields.put(furtherField, further);
    return new Message(fields);
  }

  /** Parts are joined as {@code serve} joins them. */
  private static String text(UserMessage user) {
    StringBuilder text = new StringBuilder();
    for (Content content : user.contents()) {
      if (!(content instanceof TextContent part)) {
        throw new UnsupportedFeatureException(
            "a UserMessage with %s is not supported, since the model reads text alone; leave it out"
                .formatted(content.type()));
      }
      text.append(part.text());
    }
    return text.toString();
  }

  private static Message custom(Map<String, Object> attributes) {
    if (!(attributes.get("role") instanceof String)) {
      throw new InvalidRequestException(
          "the attribute \"role\" of a CustomMessage must be a string but was %s; its attributes are the fields that the chat template reads"
              .formatted(attributes.get("role")));
    }
    attributes.forEach((name, value) -> requireJson("\"" + name + "\"", value));
    return new Message(new LinkedHashMap<>(attributes));
  }

  /** The chat template would render other objects in a form that no training data had. */
  private static void requireJson(String place, @Nullable Object value) {
    if (value instanceof List<?> list) {
      list.forEach(item -> requireJson(place, item));
    } else if (value instanceof Map<?, ?> map) {
      map.keySet()
          .forEach(
              key -> {
                if (!(key instanceof String)) {
                  throw notJson(place, key);
                }
              });
      map.values().forEach(item -> requireJson(place, item));
    } else if (!(value == null
        || value instanceof String
        || value instanceof Boolean
        || value instanceof Integer
        || value instanceof Long
        || value instanceof Double)) {
      throw notJson(place, value);
    }
  }

  private static InvalidRequestException notJson(String place, @Nullable Object found) {
    return new InvalidRequestException(
        "the attribute %s of a CustomMessage must be JSON as plain Java (String, Boolean, Integer, Long, Double, List, Map with strings as keys) but has %s"
            .formatted(place, found == null ? "null as a key" : found.getClass().getName()));
  }
}
