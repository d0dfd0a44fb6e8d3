package org.dpo4j.run;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import org.dpo4j.OptionText;
import org.dpo4j.report.LogFormat;
import org.dpo4j.report.RunOutput;

/**
 * Prints lines of text for people.
 *
 * @param stream receives the lines
 * @param output names options in its style
 */
record Prose(PrintStream stream, RunOutput output) {
  private static final int WIDTH = 98;

  /** JSON lines are for programs, which must find nothing else on standard output. */
  static Prose of(RunOutput output, LogFormat format) {
    return new Prose(format == LogFormat.JSON ? output.err() : output.out(), output);
  }

  /** Prints a line; options are marked as in {@link OptionText#of}. */
  void line(String format, Object... values) {
    print(OptionText.of(format, values));
  }

  /** Prints a line as it is, with its options marked. */
  void print(String text) {
    stream.println(output.styled(text));
  }

  /** Prints an indented sentence, wrapped at the width of the summary. */
  void wrapped(String sentence) {
    rows("  ", sentence).forEach(stream::println);
  }

  /**
   * A sentence in rows of the width of the summary.
   *
   * @param indent of the first row; the others have two spaces more
   */
  static List<String> rows(String indent, String sentence) {
    List<String> rows = new ArrayList<>();
    StringBuilder row = new StringBuilder(indent);
    for (String word : sentence.split(" ", -1)) {
      if (row.length() + word.length() > WIDTH) {
        rows.add(row.toString().stripTrailing());
        row = new StringBuilder(indent + "  ");
      }
      row.append(word).append(' ');
    }
    rows.add(row.toString().stripTrailing());
    return rows;
  }
}
