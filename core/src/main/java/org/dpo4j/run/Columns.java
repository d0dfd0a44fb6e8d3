package org.dpo4j.run;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/** Two texts beside each other. */
final class Columns {

  private static final String BETWEEN = " | ";

  private Columns() {}

  /**
   * The lines of two texts, wrapped at words.
   *
   * @param width of both columns and what is between them, in characters
   */
  static List<String> of(String left, String right, int width) {
    int each = (width - BETWEEN.length()) / 2;
    Iterator<String> lefts = wrapped(left, each).iterator();
    Iterator<String> rights = wrapped(right, each).iterator();
    List<String> lines = new ArrayList<>();
    while (lefts.hasNext() || rights.hasNext()) {
      String first = lefts.hasNext() ? lefts.next() : "";
      String second = rights.hasNext() ? rights.next() : "";
      String padding = " ".repeat(each - first.codePointCount(0, first.length()));
      lines.add((first + padding + BETWEEN + second).stripTrailing());
    }
    return lines;
  }

  private static List<String> wrapped(String text, int width) {
    List<String> lines = new ArrayList<>();
    for (String paragraph : text.split("\n", -1)) {
      String rest = paragraph.replace("\t", "    ").replace("\r", "");
      while (rest.codePointCount(0, rest.length()) > width) {
        int most = rest.offsetByCodePoints(0, width);
        int space = rest.lastIndexOf(' ', most);
        int end = space > 0 ? space : most;
        lines.add(rest.substring(0, end));
        rest = rest.substring(space > 0 ? end + 1 : end);
      }
      lines.add(rest);
    }
    return lines;
  }
}
