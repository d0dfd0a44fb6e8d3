package org.dpo4j.data;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.stream.Stream;
import org.dpo4j.Message;
import org.jspecify.annotations.Nullable;

/**
 * A prompt x with a chosen completion y_w and a rejected one y_l, as read from a row. A prompt that
 * was part of both completions has been separated from them.
 */
public sealed interface PreferencePair {

  RowOrigin origin();

  /** The pair's weight in the loss, positive and finite; empty if the row has no weight. */
  OptionalDouble weight();

  /** The approximate size of the pair: characters of text, or ids. */
  default long characters() {
    if (this instanceof Text text) {
      return (long) text.prompt().length() + text.chosen().length() + text.rejected().length();
    } else if (this instanceof Chat chat) {
      return Stream.of(chat.prompt(), chat.chosen(), chat.rejected())
          .flatMap(List::stream)
          .mapToLong(message -> characters(message.fields()))
          .sum();
    }
    Ids ids = (Ids) this;
    return (long) ids.prompt().size() + ids.chosen().size() + ids.rejected().size();
  }

  private static long characters(@Nullable Object json) {
    if (json instanceof String text) {
      return text.length();
    } else if (json instanceof Map<?, ?> map) {
      return map.values().stream().mapToLong(PreferencePair::characters).sum();
    } else if (json instanceof List<?> list) {
      return list.stream().mapToLong(PreferencePair::characters).sum();
    }
    return 1;
  }

  /** Plain text on all three sides. */
  record Text(
      RowOrigin origin, String prompt, String chosen, String rejected, OptionalDouble weight)
      implements PreferencePair {
    public Text(RowOrigin origin, String prompt, String chosen, String rejected) {
      this(origin, prompt, chosen, rejected, OptionalDouble.empty());
    }
  }

  /**
   * Turns of a conversation on all three sides.
   *
   * @param templateVariables variables for the chat template by name, such as {@code tools}; JSON
   *     values as plain Java
   */
  record Chat(
      RowOrigin origin,
      List<Message> prompt,
      List<Message> chosen,
      List<Message> rejected,
      Map<String, @Nullable Object> templateVariables,
      OptionalDouble weight)
      implements PreferencePair {
    public Chat {
      templateVariables = Collections.unmodifiableMap(new LinkedHashMap<>(templateVariables));
      prompt = List.copyOf(prompt);
      chosen = List.copyOf(chosen);
      rejected = List.copyOf(rejected);
    }

    public Chat(
        RowOrigin origin,
        List<Message> prompt,
        List<Message> chosen,
        List<Message> rejected,
        Map<String, @Nullable Object> templateVariables) {
      this(origin, prompt, chosen, rejected, templateVariables, OptionalDouble.empty());
    }
  }

  /** Token ids, used as they are. */
  record Ids(
      RowOrigin origin,
      List<Integer> prompt,
      List<Integer> chosen,
      List<Integer> rejected,
      OptionalDouble weight)
      implements PreferencePair {
    public Ids {
      prompt = List.copyOf(prompt);
      chosen = List.copyOf(chosen);
      rejected = List.copyOf(rejected);
    }

    public Ids(
        RowOrigin origin, List<Integer> prompt, List<Integer> chosen, List<Integer> rejected) {
      this(origin, prompt, chosen, rejected, OptionalDouble.empty());
    }
  }
}
