package org.dpo4j.run;

import java.util.List;
import java.util.Map;
import org.dpo4j.DpoException;
import org.dpo4j.Message;
import org.dpo4j.OptionText;
import org.dpo4j.data.SampledPrompt;

/**
 * The completion that a row of prompts has itself, in a column.
 *
 * @param value as a row of pairs has it: a text, or a list of messages where the prompt is a
 *     conversation
 * @param text of the text or of the only message
 */
record OwnCompletion(Object value, String text) {

  /** Reads the column; throws DpoException if it holds no completion that fits the prompt. */
  static OwnCompletion of(SampledPrompt prompt, String column) {
    Object value = prompt.columns().get(column);
    boolean conversation = prompt.prompt().text() == null;
    if (value instanceof String text && !text.isEmpty()) {
      return new OwnCompletion(
          conversation ? List.of(Message.assistant(text).fields()) : text, text);
    }
    if (conversation
        && value instanceof List<?> turns
        && turns.size() == 1
        && turns.get(0) instanceof Map<?, ?> turn
        && "assistant".equals(turn.get("role"))
        && turn.get("content") instanceof String text
        && !text.isEmpty()) {
      return new OwnCompletion(turns, text);
    }
    throw new DpoException(
        prompt.origin()
            + " "
            + OptionText.of(
                "column \"%s\" must hold the row's own completion, a text or one turn of the assistant, but %s; name the column with {chosen_column}; sample copies the columns of the prompts' file",
                column,
                value == null
                    ? "the row has no such column; it has " + prompt.columns().keySet()
                    : "it holds " + value));
  }
}
