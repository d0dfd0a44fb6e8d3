package org.dpo4j.tokenizer;

import java.util.List;

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
