package org.dpo4j.data;

import java.math.BigDecimal;
import java.util.List;
import java.util.Set;
import org.dpo4j.Message;

/**
 * Rows with one completion: {@code prompt} and {@code completion}, whole conversations, or texts,
 * and the column {@code label} of unpaired preferences.
 */
final class CompletionColumns {

  static final String LABEL = "label";

  private static final Set<String> DESIRABLE = Set.of("true", "True", "1");

  /** The texts of labels of undesirable completions. */
  static final Set<String> UNDESIRABLE = Set.of("false", "False", "0");

  private CompletionColumns() {}

  static RowContent text(RowFields row) {
    return new RowContent.TextCompletion(row.text("prompt"), row.text("completion"));
  }

  /** A list of messages, or a string that is the assistant's answer. */
  static RowContent messages(RowFields row) {
    List<Message> prompt =
        row.present("prompt") instanceof String question
            ? List.of(Message.of("user", question))
            : MessageReader.all(row, "prompt", row.list("prompt"));
    List<Message> completion =
        row.present("completion") instanceof String answer
            ? List.of(Message.of("assistant", answer))
            : MessageReader.all(row, "completion", row.list("completion"));
    return new RowContent.ChatCompletion(prompt, completion);
  }

  static RowContent ids(RowFields row) {
    return new RowContent.IdsCompletion(
        TrlColumns.ids(row, "prompt_ids"), TrlColumns.ids(row, "completion_ids"));
  }

  /** All turns are the completion of an empty prompt. */
  static RowContent conversation(RowFields row, String column) {
    return new RowContent.ChatCompletion(
        List.of(), MessageReader.all(row, column, row.list(column)));
  }

  /** The last turn is the completion of those before it. */
  static RowContent lastTurn(RowFields row, String column) {
    List<Message> turns = MessageReader.all(row, column, row.list(column));
    int last = turns.size() - 1;
    if (last < 1 || !turns.get(last).role().equals("assistant")) {
      throw row.bad(
          "conversation that does not end in the assistant's turn",
          "the last turn is the completion and must be the assistant's, after at least one other");
    }
    return new RowContent.ChatCompletion(turns.subList(0, last), turns.subList(last, last + 1));
  }

  /** A text to imitate as a whole. */
  static RowContent plain(RowFields row) {
    return new RowContent.TextCompletion("", row.text("text"));
  }

  /** LLaMA-Factory's alpaca columns. */
  static RowContent alpaca(RowFields row) {
    return new RowContent.ChatCompletion(
        ChatColumns.alpacaPrompt(row), List.of(Message.of("assistant", row.text("output"))));
  }

  /** Whether the completion is desirable. */
  static boolean label(RowFields row) {
    Object label = row.present(LABEL);
    String text = label instanceof Number number ? number(number) : String.valueOf(label).strip();
    boolean desirable = DESIRABLE.contains(text);
    if (!desirable && !UNDESIRABLE.contains(text)) {
      throw row.bad(
          "label that is neither true nor false",
          "write true for a desirable completion and false for an undesirable one; found "
              + (label instanceof Number ? label : JsonKind.of(label)));
    }
    return desirable;
  }

  private static String number(Number number) {
    String digits = String.valueOf(number);
    return digits.length() > BoundedJson.NUMBER
        ? ""
        : new BigDecimal(digits).stripTrailingZeros().toPlainString();
  }
}
