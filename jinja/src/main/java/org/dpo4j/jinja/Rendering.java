package org.dpo4j.jinja;

import java.util.List;

/**
 * A rendered text.
 *
 * @param generated the parts from {@code generation} blocks, in order of their ends
 */
public record Rendering(String text, List<Span> generated) {

  /**
   * A part of a text.
   *
   * @param start index of its first UTF-16 unit
   * @param end index after its last one
   */
  public record Span(int start, int end) {}

  public Rendering {
    generated = List.copyOf(generated);
  }
}
