package org.dpo4j.tokenizer;

import java.util.List;
import org.dpo4j.data.Message;

/**
 * A chat template with its variables bound: messages to the text that is tokenized without further
 * special tokens. Implementations are safe for use by several threads.
 */
@FunctionalInterface
public interface ChatRenderer {

  /**
   * @param addGenerationPrompt whether the header of an assistant turn follows the messages
   * @throws org.dpo4j.DpoException if the template refuses the messages
   */
  String render(List<Message> messages, boolean addGenerationPrompt);
}
