package org.dpo4j.tokenizer;

import java.util.List;
import java.util.Map;
import org.dpo4j.Message;
import org.jspecify.annotations.Nullable;

/**
 * A chat template with its variables bound: messages to the text that is tokenized without further
 * special tokens. Implementations are safe for use by several threads.
 */
@FunctionalInterface
public interface ChatRenderer {

  /**
   * @param variables what this conversation gives the template besides its messages, {@code tools}
   *     say; wins over what the model gives
   * @param addGenerationPrompt whether the header of an assistant turn follows the messages
   * @throws org.dpo4j.DpoException if the template refuses the messages
   */
  String render(
      List<Message> messages, boolean addGenerationPrompt, Map<String, @Nullable Object> variables);
}
