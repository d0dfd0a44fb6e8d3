package org.dpo4j.data;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.dpo4j.Message;
import org.jspecify.annotations.Nullable;

/** Rows whose columns are TRL's: {@code prompt}, {@code chosen}, {@code rejected}. */
final class TrlColumns {
  private TrlColumns() {}

  static RowContent text(RowFields row) {
    return new RowContent.Text(
        row.has("prompt") ? row.text("prompt") : null, row.text("chosen"), rejectedTexts(row));
  }

  static RowContent messages(RowFields row) {
    @Nullable List<Message> prompt =
        row.has("prompt") ? MessageReader.all(row, "prompt", row.list("prompt")) : null;
    return new RowContent.Chat(prompt, null, chosenMessages(row), rejectedMessages(row));
  }

  /** Strings that are the assistant's answers to the prompt. */
  static RowContent textAfterMessages(RowFields row) {
    return new RowContent.Chat(
        MessageReader.all(row, "prompt", row.list("prompt")),
        null,
        assistant(row.text("chosen")),
        rejectedAnswers(row));
  }

  /**
   * UltraFeedback's columns: the lists hold whole conversations, and the prompt repeats their user
   * turn. Lists that begin with an assistant turn hold completions only.
   */
  static RowContent messagesAfterText(RowFields row) {
    String prompt = row.text("prompt");
    List<Message> chosen = chosenMessages(row);
    RowContent.Rejected<List<Message>> rejected = rejectedMessages(row);
    boolean completions =
        Stream.concat(Stream.of(chosen), rejected.completions().stream())
            .allMatch(turns -> !turns.isEmpty() && turns.get(0).role().equals("assistant"));
    return completions
        ? new RowContent.Chat(List.of(Message.of("user", prompt)), null, chosen, rejected)
        : new RowContent.Chat(null, prompt, chosen, rejected);
  }

  static RowContent ids(RowFields row) {
    return new RowContent.Ids(
        ids(row, "prompt_ids"), ids(row, "chosen_ids"), ids(row, "rejected_ids"));
  }

  /** A string, or a list of strings. */
  static RowContent.Rejected<String> rejectedTexts(RowFields row) {
    Object rejected = row.present("rejected");
    if (rejected instanceof String text) {
      return new RowContent.Rejected<>(List.of(text), false);
    }
    if (!(rejected instanceof List<?> list)) {
      throw row.wrongType("rejected", "a string or a list of strings, as chosen is a string,");
    }
    List<String> texts = new ArrayList<>(list.size());
    for (Object item : list) {
      if (!(item instanceof String text)) {
        throw row.bad(
            "rejected completion that is not a string",
            "completion %d of \"rejected\" is %s; chosen is a string, so each must be one"
                .formatted(texts.size() + 1, JsonKind.of(item)));
      }
      texts.add(text);
    }
    return new RowContent.Rejected<>(texts, true);
  }

  /** The same as assistant turns. */
  static RowContent.Rejected<List<Message>> rejectedAnswers(RowFields row) {
    RowContent.Rejected<String> texts = rejectedTexts(row);
    return new RowContent.Rejected<>(
        texts.completions().stream().map(TrlColumns::assistant).toList(), texts.listed());
  }

  static List<Message> assistant(String answer) {
    return List.of(Message.of("assistant", answer));
  }

  static List<Message> chosenMessages(RowFields row) {
    return MessageReader.all(row, "chosen", row.list("chosen"));
  }

  /** A list of messages, or a list of such lists. */
  static RowContent.Rejected<List<Message>> rejectedMessages(RowFields row) {
    if (!(row.present("rejected") instanceof List<?> list)) {
      throw row.wrongType("rejected", "a list of messages, as chosen is,");
    }
    if (list.isEmpty() || !(list.get(0) instanceof List<?>)) {
      return new RowContent.Rejected<>(
          list.isEmpty() ? List.of() : List.of(MessageReader.all(row, "rejected", list)), false);
    }
    List<List<Message>> completions = new ArrayList<>(list.size());
    for (Object item : list) {
      if (!(item instanceof List<?> turns)) {
        throw row.bad(
            "rejected completion that is not a list of messages",
            "completion %d of \"rejected\" is %s but the first is a list"
                .formatted(completions.size() + 1, JsonKind.of(item)));
      }
      completions.add(MessageReader.all(row, "rejected", turns));
    }
    return new RowContent.Rejected<>(completions, true);
  }

  static List<Integer> ids(RowFields row, String field) {
    if (!(row.present(field) instanceof List<?> list)) {
      throw row.wrongType(field, "a list of token ids");
    }
    List<Integer> ids = new ArrayList<>(list.size());
    for (Object item : list) {
      if (!(item instanceof Integer id) || id < 0) {
        throw row.bad(
            "invalid token id in \"" + field + "\"",
            "ids are whole numbers from 0; id %d is %s"
                .formatted(ids.size() + 1, item instanceof Number n ? n : JsonKind.of(item)));
      }
      ids.add(id);
    }
    return ids;
  }
}
