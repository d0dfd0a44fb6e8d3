package org.dpo4j.api;

import java.util.List;
import java.util.Map;
import org.dpo4j.Message;
import org.jspecify.annotations.Nullable;

/**
 * Renders a conversation as the text that a model reads. Implement it, or use {@link #jinja}, to
 * replace the chat template of a model folder.
 *
 * <p>Implementations must be safe for use by several threads.
 */
@FunctionalInterface
public interface ChatTemplate {

  /**
   * Renders a conversation.
   *
   * @param messages the turns, at least one
   * @param addGenerationPrompt whether the text ends with the header of an assistant turn, for the
   *     model to continue
   * @param variables the special tokens of the model by role, such as {@code bos_token}, and what a
   *     pair adds to them, such as {@code tools}
   * @return the text with all special tokens in it; none are added when it is tokenized
   */
  String render(
      List<Message> messages, boolean addGenerationPrompt, Map<String, @Nullable Object> variables);

  /**
   * A template in the Jinja dialect of transformers.
   *
   * @param source the text of a {@code chat_template.jinja}
   * @return the template
   * @throws org.dpo4j.DpoException with the line, if it cannot be parsed
   */
  static ChatTemplate jinja(String source) {
    return org.dpo4j.tokenizer.ChatTemplate.parse(source, "chat template")::render;
  }
}
