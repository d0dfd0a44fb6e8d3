package org.dpo4j.data;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Rows that other tools write, as conversations. An empty or null system message is none. */
final class ChatColumns {
  private ChatColumns() {}

  /** LLaMA-Factory's alpaca ranking: what its {@code AlpacaDatasetConverter} makes of a row. */
  static RowContent alpaca(RowFields row) {
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
    String instruction = row.optionalText("instruction");
    String input = row.optionalText("input");
    String separator = instruction.isEmpty() || input.isEmpty() ? "" : "\n";
    prompt.add(user(row, instruction + separator + input));
    return answers(row, prompt);
  }

  /** Intel's orca_dpo_pairs, where the column is {@code question}. */
  static RowContent question(RowFields row, String column) {
    List<Message> prompt = system(row);
    prompt.add(user(row, row.text(column)));
    return answers(row, prompt);
  }

  /** LLaMA-Factory's sharegpt ranking: chosen and rejected are the next message each. */
  static RowContent sharegpt(RowFields row, String column) {
    List<Message> prompt = system(row);
    List<Message> turns = MessageReader.all(row, column, row.list(column));
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
    boolean listed = row.present("rejected") instanceof List<?>;
    List<List<Message>> rejected = new ArrayList<>();
    for (Object message : listed ? row.list("rejected") : List.of(row.present("rejected"))) {
      rejected.add(answer(row, "rejected", message));
    }
    return new RowContent.Chat(
        prompt,
        null,
        answer(row, "chosen", row.present("chosen")),
        new RowContent.Rejected<>(rejected, listed));
  }

  /** The turns of both transcripts; those that they share are the prompt. */
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

  private static List<Message> answer(RowFields row, String field, @Nullable Object value) {
    if (!(value instanceof Map<?, ?>)) {
      throw row.bad(
          "message that is not an object in \"" + field + "\"",
          "found %s; write {\"from\": \"gpt\", \"value\": ...}".formatted(JsonKind.of(value)));
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
