package org.dpo4j.data;

import java.util.List;
import java.util.Map;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;

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
  SWIFT("conversations, from ms-swift's columns", "messages"),
  QUESTION("conversations, from the column \"question\"", "question"),
  QUERY("conversations, from the column \"query\"", "query"),
  INPUT("conversations, from the column \"input\"", "input"),
  PROMPT("conversations, from the strings of the column \"prompt\"", "prompt"),
  TOKEN_IDS("token ids", ""),
  COMPLETION_TEXT("text", "prompt"),
  COMPLETION_MESSAGES("conversations", "prompt"),
  COMPLETION_IDS("token ids", ""),
  CONVERSATIONS_TO_IMITATE(
      "whole conversations, from the column \"conversations\"", "conversations"),
  MESSAGES_TO_IMITATE("whole conversations, from the column \"messages\"", "messages"),
  CONVERSATIONS_ENDING("conversations, the completion in their last turn", "conversations"),
  MESSAGES_ENDING("conversations, the completion in their last turn", "messages"),
  ALPACA_OUTPUT("conversations, from alpaca columns", "instruction"),
  TEXT_TO_IMITATE("whole texts", "text");

  static final List<String> SIDES = List.of("chosen", "rejected");
  static final List<String> IDS = List.of("prompt_ids", "chosen_ids", "rejected_ids");

  /** Columns that may hold the conversation before the completions. */
  private static final List<String> CONVERSATIONS = List.of("conversations", "messages");

  /** The description in messages. */
  final String description;

  private final String promptColumn; // "" where the prompt has none

  RowShape(String description, String promptColumn) {
    this.description = description;
    this.promptColumn = promptColumn;
  }

  /** Columns that every row of this shape must have. */
  List<String> required() {
    return switch (this) {
      case TOKEN_IDS -> IDS;
      case COMPLETION_TEXT, COMPLETION_MESSAGES -> List.of("prompt", "completion");
      case COMPLETION_IDS -> List.of("prompt_ids", "completion_ids");
      case ALPACA_OUTPUT -> List.of("instruction", "output");
      case CONVERSATIONS_TO_IMITATE,
          MESSAGES_TO_IMITATE,
          CONVERSATIONS_ENDING,
          MESSAGES_ENDING,
          TEXT_TO_IMITATE ->
          List.of(promptColumn);
      case SWIFT -> List.of(promptColumn, "rejected_response");
      default -> promptColumn.isEmpty() ? SIDES : List.of(promptColumn, SIDES.get(0), SIDES.get(1));
    };
  }

  /** Optional columns of this shape. */
  List<String> optional() {
    return switch (this) {
      case HH -> List.of("prompt");
      case ALPACA, ALPACA_OUTPUT -> List.of("input", "history", "system");
      case QUESTION, QUERY, INPUT, PROMPT -> List.of("history", "system");
      case SHAREGPT, SHAREGPT_MESSAGES, SWIFT -> List.of("system");
      default -> List.of();
    };
  }

  /** Whether rows have two sides. */
  boolean pairs() {
    return switch (this) {
      case COMPLETION_TEXT,
          COMPLETION_MESSAGES,
          COMPLETION_IDS,
          CONVERSATIONS_TO_IMITATE,
          MESSAGES_TO_IMITATE,
          CONVERSATIONS_ENDING,
          MESSAGES_ENDING,
          ALPACA_OUTPUT,
          TEXT_TO_IMITATE ->
          false;
      default -> true;
    };
  }

  /** The form in which a model sees the rows; transcripts are recognized by their text. */
  RowForm form() {
    return switch (this) {
      case TEXT, IMPLICIT_TEXT, COMPLETION_TEXT, TEXT_TO_IMITATE -> RowForm.TEXT;
      case TOKEN_IDS, COMPLETION_IDS -> RowForm.TOKEN_IDS;
      default -> RowForm.CONVERSATIONS;
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
      case SWIFT -> ChatColumns.swift(row);
      case QUESTION, QUERY, INPUT, PROMPT -> ChatColumns.question(row, promptColumn);
      case TOKEN_IDS -> TrlColumns.ids(row);
      case COMPLETION_TEXT -> CompletionColumns.text(row);
      case COMPLETION_MESSAGES -> CompletionColumns.messages(row);
      case COMPLETION_IDS -> CompletionColumns.ids(row);
      case CONVERSATIONS_TO_IMITATE, MESSAGES_TO_IMITATE ->
          CompletionColumns.conversation(row, promptColumn);
      case CONVERSATIONS_ENDING, MESSAGES_ENDING -> CompletionColumns.lastTurn(row, promptColumn);
      case ALPACA_OUTPUT -> CompletionColumns.alpaca(row);
      case TEXT_TO_IMITATE -> CompletionColumns.plain(row);
    };
  }

  /**
   * The shape of a row of examples of a kind. Pairs are taken apart where a loss learns from single
   * completions.
   *
   * @throws BadRowException if its columns match no shape, or more than one
   */
  static RowShape of(RowFields row, RowFormat format, ExampleKind kind) {
    boolean pairs =
        SIDES.stream().anyMatch(row::has)
            || row.has("rejected_ids")
            || row.has("rejected_response");
    return kind == ExampleKind.PAIRS || pairs ? of(row, format) : ofCompletion(row, format, kind);
  }

  private static RowShape ofCompletion(RowFields row, RowFormat format, ExampleKind kind) {
    if (row.has("completion_ids")) {
      return COMPLETION_IDS;
    }
    if (row.has("completion")) {
      boolean text =
          row.present("prompt") instanceof String && row.present("completion") instanceof String;
      return text && format != RowFormat.MESSAGES ? COMPLETION_TEXT : COMPLETION_MESSAGES;
    }
    boolean imitated = kind == ExampleKind.DEMONSTRATIONS;
    if (row.get("messages") instanceof List<?>) {
      return imitated ? MESSAGES_TO_IMITATE : MESSAGES_ENDING;
    }
    if (row.get("conversations") instanceof List<?>) {
      return imitated ? CONVERSATIONS_TO_IMITATE : CONVERSATIONS_ENDING;
    }
    if (row.has("instruction") && row.has("output")) {
      return ALPACA_OUTPUT;
    }
    if (imitated && row.has("text")) {
      return TEXT_TO_IMITATE;
    }
    throw row.missing("completion");
  }

  /**
   * The shape of a row under a format.
   *
   * @throws BadRowException if its columns match no shape, or more than one
   */
  static RowShape of(RowFields row, RowFormat format) {
    return switch (format) {
      case AUTO -> detect(row);
      case TEXT -> row.has("prompt") ? TEXT : IMPLICIT_TEXT;
      case MESSAGES -> messages(row);
      case TOKEN_IDS -> TOKEN_IDS;
      case HH -> HH;
      case ALPACA -> ALPACA;
      case SHAREGPT ->
          row.has("messages") && !row.has("conversations") ? SHAREGPT_MESSAGES : SHAREGPT;
      case ORCA -> row.has("question") ? QUESTION : row.has("input") ? INPUT : PROMPT;
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
    if (!row.has("chosen") && row.has("rejected_response") && row.get("messages") != null) {
      return SWIFT;
    }
    Object chosen = row.present("chosen");
    if (chosen instanceof Map<?, ?>) {
      return continued(row);
    }
    if (row.has("prompt")) {
      return withPrompt(row, false);
    }
    if (chosen instanceof List<?> turns) {
      return hasConversation(row) && ChatColumns.answers(turns)
          ? continued(row)
          : IMPLICIT_MESSAGES;
    }
    if (!(chosen instanceof String)) {
      throw row.wrongType("chosen", "a string or a list of messages");
    }
    return hasConversation(row) ? continued(row) : namedPrompt(row);
  }

  /** Shapes whose rows are always rendered by the chat template. */
  private static RowShape messages(RowFields row) {
    if (row.has("prompt")) {
      return withPrompt(row, true);
    }
    if (row.get("chosen") instanceof String) {
      RowShape shape = detect(row);
      if (shape.form() == RowForm.CONVERSATIONS) {
        return shape;
      }
      throw row.bad(
          "text without a prompt",
          OptionText.of(
              "{data_format} messages makes the user's turn of a column \"prompt\" but there is none;"
                  + " pass {columns} prompt=NAME, or {data_format} hh for Human/Assistant transcripts"));
    }
    return IMPLICIT_MESSAGES;
  }

  /** Two of these columns would be two prompts, except {@code input} beside {@code instruction}. */
  private static RowShape namedPrompt(RowFields row) {
    List<String> found =
        List.of("instruction", "question", "query", "input").stream().filter(row::has).toList();
    if (found.size() > 1 && !found.equals(List.of("instruction", "input"))) {
      throw row.bad(
          "two columns that could be the prompt",
          OptionText.of(
              "found \"%s\" and \"%s\"; say which format it is with {data_format}, or remove one",
              found.get(0), found.get(1)));
    }
    if (!found.isEmpty()) {
      return switch (found.get(0)) {
        case "instruction" -> ALPACA;
        case "question" -> QUESTION;
        case "query" -> QUERY;
        default -> INPUT;
      };
    }
    for (List<String> names : List.of(CONVERSATIONS, ColumnHint.PROMPTS)) {
      for (String name : names) {
        Object value = row.get(name);
        if ((value instanceof String text && !text.isBlank())
            || (value instanceof List<?> list && !list.isEmpty())) {
          throw row.bad(
              "no prompt, but a column \"" + name + "\"",
              OptionText.of(
                  "chosen and rejected would be trained without it; pass {columns} prompt=%s if it is"
                      + " the prompt, else {data_format} text",
                  name));
        }
      }
    }
    return IMPLICIT_TEXT;
  }

  private static boolean hasConversation(RowFields row) {
    return CONVERSATIONS.stream().anyMatch(name -> row.get(name) instanceof List<?>);
  }

  /** The conversation is in its own column, and chosen continues it. */
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
    } else if (prompt instanceof String && chosen instanceof String) {
      return messages ? PROMPT : TEXT;
    }
    throw row.bad(
        "prompt, chosen and rejected of different kinds",
        "prompt is %s, chosen is %s, rejected is %s; make each a string or a list of messages"
            .formatted(JsonKind.of(prompt), JsonKind.of(chosen), JsonKind.of(row.get("rejected"))));
  }
}
