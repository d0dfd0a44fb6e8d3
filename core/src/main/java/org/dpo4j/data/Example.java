package org.dpo4j.data;

import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.Message;
import org.jspecify.annotations.Nullable;

/**
 * A prompt with one or more completions, as read from a row. A preference pair has two: the chosen
 * y_w and the rejected y_l. A prompt that was part of the completions has been separated from them.
 */
public sealed interface Example {

  RowOrigin origin();

  /** At least one. */
  List<? extends Completion<?>> completions();

  /** The numbers of the row. */
  RowNumbers numbers();

  /** The approximate size: characters of text, or ids. */
  default long characters() {
    Object prompt =
        this instanceof Text text
            ? text.prompt()
            : this instanceof Chat chat ? chat.prompt() : ((Ids) this).prompt();
    return characters(prompt)
        + completions().stream().mapToLong(completion -> characters(completion.content())).sum();
  }

  private static long characters(@Nullable Object json) {
    if (json instanceof String text) {
      return text.length();
    } else if (json instanceof Message message) {
      return characters(message.fields());
    } else if (json instanceof Map<?, ?> map) {
      return map.values().stream().mapToLong(Example::characters).sum();
    } else if (json instanceof Collection<?> list) {
      return list.stream().mapToLong(Example::characters).sum();
    }
    return 1;
  }

  /** Plain text. */
  record Text(
      RowOrigin origin, String prompt, List<Completion<String>> completions, RowNumbers numbers)
      implements Example {

    public Text {
      completions = List.copyOf(completions);
    }

    /** A preference pair. */
    public Text(
        RowOrigin origin, String prompt, String chosen, String rejected, RowNumbers numbers) {
      this(origin, prompt, Completion.pair(chosen, rejected), numbers);
    }

    /** A preference pair without numbers. */
    public Text(RowOrigin origin, String prompt, String chosen, String rejected) {
      this(origin, prompt, chosen, rejected, RowNumbers.NONE);
    }

    /** The completion that is chosen. */
    public String chosen() {
      return Completion.content(completions, CompletionRole.CHOSEN);
    }

    /** The completion that is rejected. */
    public String rejected() {
      return Completion.content(completions, CompletionRole.REJECTED);
    }
  }

  /**
   * Turns of a conversation.
   *
   * @param prompt empty if the completion is the whole conversation
   * @param templateVariables variables for the chat template by name, such as {@code tools}; JSON
   *     values as plain Java
   */
  record Chat(
      RowOrigin origin,
      List<Message> prompt,
      List<Completion<List<Message>>> completions,
      Map<String, @Nullable Object> templateVariables,
      RowNumbers numbers)
      implements Example {

    public Chat {
      templateVariables = Collections.unmodifiableMap(new LinkedHashMap<>(templateVariables));
      prompt = List.copyOf(prompt);
      completions =
          completions.stream()
              .map(turns -> new Completion<>(turns.role(), List.copyOf(turns.content())))
              .toList();
    }

    /** A preference pair. */
    public Chat(
        RowOrigin origin,
        List<Message> prompt,
        List<Message> chosen,
        List<Message> rejected,
        Map<String, @Nullable Object> templateVariables,
        RowNumbers numbers) {
      this(origin, prompt, Completion.pair(chosen, rejected), templateVariables, numbers);
    }

    /** A preference pair without numbers. */
    public Chat(
        RowOrigin origin,
        List<Message> prompt,
        List<Message> chosen,
        List<Message> rejected,
        Map<String, @Nullable Object> templateVariables) {
      this(origin, prompt, chosen, rejected, templateVariables, RowNumbers.NONE);
    }

    /** The completion that is chosen. */
    public List<Message> chosen() {
      return Completion.content(completions, CompletionRole.CHOSEN);
    }

    /** The completion that is rejected. */
    public List<Message> rejected() {
      return Completion.content(completions, CompletionRole.REJECTED);
    }
  }

  /** Token ids, used as they are. */
  record Ids(
      RowOrigin origin,
      List<Integer> prompt,
      List<Completion<List<Integer>>> completions,
      RowNumbers numbers)
      implements Example {

    public Ids {
      prompt = List.copyOf(prompt);
      completions =
          completions.stream()
              .map(ids -> new Completion<>(ids.role(), List.copyOf(ids.content())))
              .toList();
    }

    /** A preference pair. */
    public Ids(
        RowOrigin origin,
        List<Integer> prompt,
        List<Integer> chosen,
        List<Integer> rejected,
        RowNumbers numbers) {
      this(origin, prompt, Completion.pair(chosen, rejected), numbers);
    }

    /** A preference pair without numbers. */
    public Ids(
        RowOrigin origin, List<Integer> prompt, List<Integer> chosen, List<Integer> rejected) {
      this(origin, prompt, chosen, rejected, RowNumbers.NONE);
    }

    /** The completion that is chosen. */
    public List<Integer> chosen() {
      return Completion.content(completions, CompletionRole.CHOSEN);
    }

    /** The completion that is rejected. */
    public List<Integer> rejected() {
      return Completion.content(completions, CompletionRole.REJECTED);
    }
  }
}
