package org.dpo4j.tokenizer;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.Message;
import org.jspecify.annotations.Nullable;

/**
 * A chat template with its variables bound: renders messages as the text that is tokenized without
 * further special tokens. Implementations are safe for use by several threads.
 */
@FunctionalInterface
public interface ChatRenderer {

  /**
   * @param variables further variables of this conversation, such as {@code tools}; they take
   *     precedence over the model's
   * @param addGenerationPrompt whether the header of an assistant turn follows the messages
   * @throws org.dpo4j.DpoException if the template refuses the messages
   */
  String render(
      List<Message> messages, boolean addGenerationPrompt, Map<String, @Nullable Object> variables);

  /**
   * Renders messages without the header of a further turn, and marks what the assistant writes.
   *
   * @return empty if the renderer cannot tell
   * @throws org.dpo4j.DpoException if the template refuses the messages
   */
  default Optional<MarkedText> renderMarked(
      List<Message> messages, Map<String, @Nullable Object> variables) {
    return Optional.empty();
  }
}
