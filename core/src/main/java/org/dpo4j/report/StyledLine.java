package org.dpo4j.report;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * A line of text for people whose parts have colours on a terminal. Without colours it says the
 * same: no colour is the only sign of anything.
 */
public final class StyledLine {

  /** What a part of the text is. */
  public enum Ink {
    /** Text without a colour. */
    PLAIN(""),
    PROMPT("36"), // cyan
    CHOSEN("1;32"), // bold green
    REJECTED("1;33"), // bold yellow: red beside green is one colour to many
    /** A completion's tokens that are not scored. */
    UNSCORED("2"), // faint
    SPECIAL("35"), // magenta
    /** What is lost, and what is wrong. */
    LOST("31"), // red
    HEADING("1"); // bold

    private final String code; // of Select Graphic Rendition, ECMA-48

    Ink(String code) {
      this.code = code;
    }
  }

  private record Part(Ink ink, String text) {}

  private final List<Part> parts = new ArrayList<>();

  /** Adds text, in which options may be marked as in {@link org.dpo4j.OptionText}. */
  public StyledLine add(Ink ink, String text) {
    parts.add(new Part(ink, text));
    return this;
  }

  /** Adds text without a colour. */
  public StyledLine add(String text) {
    return add(Ink.PLAIN, text);
  }

  /** The text alone. */
  String text() {
    StringBuilder text = new StringBuilder();
    parts.forEach(part -> text.append(part.text()));
    return text.toString();
  }

  /**
   * The text with control sequences around its parts, and none within them.
   *
   * @param style how options are named
   */
  String inColour(UnaryOperator<String> style) {
    StringBuilder line = new StringBuilder();
    for (Part part : parts) {
      String safe = SafeText.line(style.apply(part.text()));
      if (part.ink().code.isEmpty()) {
        line.append(safe);
      } else {
        line.append("\u001b[").append(part.ink().code).append('m').append(safe).append("\u001b[0m");
      }
    }
    return line.toString();
  }
}
