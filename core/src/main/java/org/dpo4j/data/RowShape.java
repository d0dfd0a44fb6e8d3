package org.dpo4j.data;

import java.util.List;
import java.util.Map;

/** Which columns a row has and what they mean. All rows of a file have one shape. */
enum RowShape {
  TEXT("text", "prompt"),
  IMPLICIT_TEXT("text, the prompt inside chosen and rejected", ""),
  MESSAGES("conversations", "prompt"),
  IMPLICIT_MESSAGES("conversations, the prompt inside chosen and rejected", ""),
  TEXT_AFTER_MESSAGES("conversations, the completions as strings", "prompt"),
  MESSAGES_AFTER_TEXT("conversations, the prompt as a string", "prompt"),
  HH("conversations, from Human/Assistant transcripts", ""),
  ALPACA("conversations, from alpaca columns", "instruction"),
  SHAREGPT("conversations, from sharegpt columns", "conversations"),
  SHAREGPT_MESSAGES("conversations, from the column \"messages\"", "messages"),
  QUESTION("conversations, from the column \"question\"", "question"),
  INPUT("conversations, from the column \"input\"", "input"),
  PROMPT("conversations, from the strings of the column \"prompt\"", "prompt"),
  TOKEN_IDS("token ids", "");

  static final List<String> SIDES = List.of("chosen", "rejected");
  static final List<String> IDS = List.of("prompt_ids", "chosen_ids", "rejected_ids");

  /** What a person is told. */
  final String description;

  private final String promptColumn; // "" where the prompt has none

  RowShape(String description, String promptColumn) {
    this.description = description;
    this.promptColumn = promptColumn;
  }

  /** Columns that every row of this shape has. */
  List<String> required() {
    if (this == TOKEN_IDS) {
      return IDS;
    }
    return promptColumn.isEmpty() ? SIDES : List.of(promptColumn, SIDES.get(0), SIDES.get(1));
  }

  /** Columns that mean something in this shape and need not be there. */
  List<String> optional() {
    return switch (this) {
      case HH -> List.of("prompt");
      case ALPACA -> List.of("input", "history", "system");
      case SHAREGPT, SHAREGPT_MESSAGES, QUESTION, INPUT, PROMPT -> List.of("system");
      default -> List.of();
    };
  }

  RowContent read(RowFields row) {
    return switch (this) {
      case TEXT, IMPLICIT_TEXT -> TrlColumns.text(row);
      case MESSAGES, IMPLICIT_MESSAGES -> TrlColumns.messages(row);
      case TEXT_AFTER_MESSAGES -> TrlColumns.textAfterMessages(row);
      case MESSAGES_AFTER_TEXT -> TrlColumns.messagesAfterText(row);
      case HH -> ChatColumns.hh(row);
      case ALPACA -> ChatColumns.alpaca(row);
      case SHAREGPT, SHAREGPT_MESSAGES -> ChatColumns.sharegpt(row, promptColumn);
      case QUESTION, INPUT, PROMPT -> ChatColumns.question(row, promptColumn);
      case TOKEN_IDS -> TrlColumns.ids(row);
    };
  }

  /**
   * The shape of a row that is to be read in a format.
   *
   * @throws BadRowException if its columns are those of no shape, or of more than one
   */
  static RowShape of(RowFields row, RowFormat format) {
    return switch (format) {
      case AUTO -> detect(row);
      case TEXT -> row.has("prompt") ? TEXT : IMPLICIT_TEXT;
      case MESSAGES -> row.has("prompt") ? withPrompt(row, true) : IMPLICIT_MESSAGES;
      case TOKEN_IDS -> TOKEN_IDS;
      case HH -> HH;
      case ALPACA -> ALPACA;
      case SHAREGPT ->
          row.has("messages") && !row.has("conversations") ? SHAREGPT_MESSAGES : SHAREGPT;
      case ORCA -> question(row);
    };
  }

  private static RowShape detect(RowFields row) {
    boolean hasIds = IDS.stream().anyMatch(row::has);
    if (hasIds && SIDES.stream().anyMatch(row::has)) {
      throw row.bad(
          "text and token ids in one row",
          "keep one kind; found " + RowFields.listed(row.values()));
    }
    if (hasIds) {
      return TOKEN_IDS;
    }
    Object chosen = row.present("chosen");
    if (chosen instanceof Map<?, ?>) {
      return continued(row);
    }
    if (row.has("prompt")) {
      return withPrompt(row, false);
    }
    if (chosen instanceof List<?>) {
      return IMPLICIT_MESSAGES;
    }
    if (!(chosen instanceof String)) {
      throw row.wrongType("chosen", "a string or a list of messages");
    }
    return namedPrompt(row);
  }

  /** Two columns of these would be two prompts; {@code input} beside {@code instruction} is not. */
  private static RowShape namedPrompt(RowFields row) {
    boolean instruction = row.has("instruction");
    boolean question = row.has("question");
    boolean input = row.has("input");
    if (question && (instruction || input)) {
      throw row.bad(
          "two columns that could be the prompt",
          "found \"question\" and \"%s\"; say which format it is with --data_format, or remove one"
              .formatted(instruction ? "instruction" : "input"));
    }
    if (instruction) {
      return ALPACA;
    }
    return question || input ? question(row) : IMPLICIT_TEXT;
  }

  private static RowShape question(RowFields row) {
    return row.has("question") ? QUESTION : row.has("input") ? INPUT : PROMPT;
  }

  /** Chosen is one message: the next turn of a conversation in a column of its own. */
  private static RowShape continued(RowFields row) {
    boolean conversations = row.get("conversations") instanceof List<?>;
    boolean messages = row.get("messages") instanceof List<?>;
    if (conversations == messages || row.has("prompt")) {
      throw row.bad(
          "one message as chosen without one conversation",
          "the turns before it must be a list in \"conversations\" or in \"messages\" and nowhere"
              + " else; found "
              + RowFields.listed(row.values()));
    }
    return conversations ? SHAREGPT : SHAREGPT_MESSAGES;
  }

  private static RowShape withPrompt(RowFields row, boolean messages) {
    Object prompt = row.present("prompt");
    Object chosen = row.present("chosen");
    if (prompt instanceof List<?> && chosen instanceof List<?>) {
      return MESSAGES;
    } else if (prompt instanceof List<?> && chosen instanceof String) {
      return TEXT_AFTER_MESSAGES;
    } else if (prompt instanceof String && chosen instanceof List<?>) {
      return MESSAGES_AFTER_TEXT;
    } else if (prompt instanceof String && chosen instanceof String && !messages) {
      return TEXT;
    }
    throw row.bad(
        "prompt, chosen and rejected of different kinds",
        "prompt is %s, chosen is %s, rejected is %s; make each a string or a list of messages%s"
            .formatted(
                JsonKind.of(prompt),
                JsonKind.of(chosen),
                JsonKind.of(row.get("rejected")),
                messages ? ", and one of them a list" : ""));
  }
}
