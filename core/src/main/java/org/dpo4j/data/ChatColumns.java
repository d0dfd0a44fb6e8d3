package org.dpo4j.data;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.dpo4j.Message;
import org.jspecify.annotations.Nullable;

/** Rows that other tools write, as conversations. An empty or null system message is none. */
final class ChatColumns {
  private ChatColumns() {}

  /** LLaMA-Factory's alpaca ranking: the row as its {@code AlpacaDatasetConverter} reads it. */
  static RowContent alpaca(RowFields row) {
    return answers(row, alpacaPrompt(row));
  }

  /** The turns before the answer. */
  static List<Message> alpacaPrompt(RowFields row) {
    List<Message> prompt = before(row);
    String instruction = row.optionalText("instruction");
    String input = row.optionalText("input");
    String separator = instruction.isEmpty() || input.isEmpty() ? "" : "\n";
    prompt.add(user(row, instruction + separator + input));
    return prompt;
  }

  /** The turns before the last question: a system message, then questions with their answers. */
  private static List<Message> before(RowFields row) {
    List<Message> prompt = system(row);
    if (row.get("history") != null) {
      for (Object exchange : row.list("history")) {
        if (!(exchange instanceof List<?> two)
            || two.size() != 2
            || !(two.get(0) instanceof String question)
            || !(two.get(1) instanceof String answer)) {
          throw row.bad(
              "wrong exchange in \"history\"",
              "each must be a list of two strings, [question, answer]; found "
                  + JsonKind.of(exchange));
        }
        prompt.add(Message.of("user", question));
        prompt.add(Message.of("assistant", answer));
      }
    }
    return prompt;
  }

  /** Intel's orca_dpo_pairs, with the column {@code question}, and similar data sets. */
  static RowContent question(RowFields row, String column) {
    List<Message> prompt = before(row);
    prompt.add(user(row, row.text(column)));
    return answers(row, prompt);
  }

  /**
   * LLaMA-Factory's sharegpt ranking, where chosen and rejected are the next message each. Strings
   * and lists of messages are accepted too.
   */
  static RowContent sharegpt(RowFields row, String column) {
    List<Message> prompt =
        conversation(row, column, MessageReader.all(row, column, row.list(column)));
    return continuations(row, prompt);
  }

  /** ms-swift: the conversation ends in the chosen answer; the rejected one takes its place. */
  static RowContent swift(RowFields row) {
    List<Message> turns = MessageReader.all(row, "messages", row.list("messages"));
    int last = turns.size() - 1;
    if (last < 1 || !turns.get(last).role().equals("assistant")) {
      throw row.bad(
          "conversation without the chosen answer",
          "\"messages\" must end in the assistant's turn, which \"rejected_response\" replaces");
    }
    List<Message> prompt = conversation(row, "messages", turns.subList(0, last));
    return answers(row, prompt, List.of(turns.get(last)), "rejected_response");
  }

  /**
   * Whether a list of messages begins with an answer; the turns before it are then in another
   * column.
   */
  static boolean answers(List<?> turns) {
    return !turns.isEmpty()
        && turns.get(0) instanceof Map<?, ?> first
        && (List.of("assistant", "tool").contains(String.valueOf(first.get("role")))
            || List.of("gpt", "assistant", "function_call")
                .contains(String.valueOf(first.get("from"))));
  }

  /** The turns of a prompt, after a system message if the row has the column {@code system}. */
  private static List<Message> conversation(RowFields row, String column, List<Message> turns) {
    List<Message> prompt = system(row);
    if (turns.isEmpty()) {
      throw row.bad("prompt without messages", "write at least one turn in \"" + column + "\"");
    }
    if (!prompt.isEmpty() && turns.get(0).role().equals("system")) {
      throw row.bad(
          "two system messages", "\"system\" and turn 1 of \"" + column + "\"; keep one of them");
    }
    String last = turns.get(turns.size() - 1).role();
    if (last.equals("assistant") || last.equals("system")) {
      throw row.bad(
          "conversation that waits for no answer",
          "the last turn of \"%s\" is the %s's but chosen and rejected answer it; it must be the"
                  .formatted(column, last)
              + " user's or a tool's");
    }
    prompt.addAll(turns);
    return prompt;
  }

  /** Reads chosen and rejected, each a list of turns or one answer. */
  private static RowContent continuations(RowFields row, List<Message> prompt) {
    Object chosen = row.present("chosen");
    return chosen instanceof List<?>
        ? new RowContent.Chat(
            prompt, null, TrlColumns.chosenMessages(row), TrlColumns.rejectedMessages(row))
        : answers(row, prompt, answer(row, "chosen", chosen), "rejected");
  }

  private static RowContent answers(
      RowFields row, List<Message> prompt, List<Message> chosen, String column) {
    Object rejected = row.present(column);
    boolean listed = rejected instanceof List<?>;
    List<List<Message>> answers = new ArrayList<>();
    for (Object answer : listed ? row.list(column) : List.of(rejected)) {
      answers.add(answer(row, column, answer));
    }
    return new RowContent.Chat(prompt, null, chosen, new RowContent.Rejected<>(answers, listed));
  }

  /** Reads two transcripts; the turns that they share are the prompt. */
  static RowContent hh(RowFields row) {
    String start = row.optionalText("prompt");
    RowContent.Rejected<String> rejected = TrlColumns.rejectedTexts(row);
    return new RowContent.Chat(
        null,
        null,
        HhTranscript.turns(row, "chosen", start + row.text("chosen")),
        new RowContent.Rejected<>(
            rejected.completions().stream()
                .map(text -> HhTranscript.turns(row, "rejected", start + text))
                .toList(),
            rejected.listed()));
  }

  private static List<Message> system(RowFields row) {
    List<Message> prompt = new ArrayList<>();
    String system = row.optionalText("system");
    if (!system.isEmpty()) {
      prompt.add(Message.of("system", system));
    }
    return prompt;
  }

  private static Message user(RowFields row, String content) {
    if (content.isEmpty()) {
      throw row.bad("empty prompt", "the user's turn says nothing; write it or remove the row");
    }
    return Message.of("user", content);
  }

  private static RowContent answers(RowFields row, List<Message> prompt) {
    return new RowContent.Chat(
        prompt, null, TrlColumns.assistant(row.text("chosen")), TrlColumns.rejectedAnswers(row));
  }

  /** One answer: a message, or the text of an assistant turn. */
  private static List<Message> answer(RowFields row, String field, @Nullable Object value) {
    if (value instanceof String text) {
      return TrlColumns.assistant(text);
    }
    if (!(value instanceof Map<?, ?>)) {
      throw row.bad(
          "message that is not an object in \"" + field + "\"",
          "found %s; write {\"role\": \"assistant\", \"content\": ...}"
              .formatted(JsonKind.of(value)));
    }
    Message message = MessageReader.one(row, field, value);
    if (!message.role().equals("assistant")) {
      throw row.bad(
          field + " that is not the assistant's turn",
          "its role is \"" + message.role() + "\" but it must be an answer");
    }
    return List.of(message);
  }
}
