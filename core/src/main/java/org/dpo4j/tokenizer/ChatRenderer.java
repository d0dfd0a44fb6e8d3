package org.dpo4j.tokenizer;

import java.util.List;
import java.util.Map;
import org.dpo4j.Message;
import org.jspecify.annotations.Nullable;

/**
 * A chat template with its variables bound: renders messages as the text that is tokenized without
 * further special tokens. Implementations are safe for use by several threads.
 */
@FunctionalInterface
public interface ChatRenderer {

  /**
   * A rendered conversation.
   *
   * @param generated the parts that the template marks with {@code generation}: what the assistant
   *     writes
   */
  public record MarkedText(String text, List<Span> generated) {

    /**
     * A part of a text.
     *
     * @param start index of its first UTF-16 unit
     * @param end index after its last one
     */
    public record Span(int start, int end) {}

    public MarkedText {
      generated = List.copyOf(generated);
    }
  }

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
   * @return without marks if {@link #marksGenerated} is false
   * @throws org.dpo4j.DpoException if the template refuses the messages
   */
  default MarkedText renderMarked(List<Message> messages, Map<String, @Nullable Object> variables) {
    return new MarkedText(render(messages, false, variables), List.of());
  }

  /** Whether the template has marks for what the assistant writes. */
  default boolean marksGenerated() {
    return false;
  }

  /** The template's name in messages. */
  default String origin() {
    return "the program's chat template";
  }
}
