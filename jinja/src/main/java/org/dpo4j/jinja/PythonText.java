package org.dpo4j.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Text as Python sees it: counted in code points, with its white space and line ends. */
final class PythonText {
  private PythonText() {}

  static boolean isSpace(int point) {
    return (point >= 9 && point <= 13)
        || (point >= 0x1c && point <= 0x20)
        || point == 0x85
        || point == 0xa0
        || (point > 0xff && (Character.isSpaceChar(point) || Character.isWhitespace(point)));
  }

  static boolean isBlank(String text) {
    return text.codePoints().allMatch(PythonText::isSpace);
  }

  static boolean isPrintable(int point) {
    return switch (Character.getType(point)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.SURROGATE,
          Character.PRIVATE_USE,
          Character.UNASSIGNED,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR ->
          false;
      case Character.SPACE_SEPARATOR -> point == ' ';
      default -> true;
    };
  }

  static int length(String text) {
    return text.codePointCount(0, text.length());
  }

  /** The code point at a position, as a text. */
  static String at(String text, int position) {
    int from = text.offsetByCodePoints(0, position);
    return text.substring(from, text.offsetByCodePoints(from, 1));
  }

  static List<Value> characters(String text) {
    Limits.items(text.length());
    List<Value> characters = new ArrayList<>(text.length());
    text.codePoints().forEach(point -> characters.add(Value.of(Character.toString(point))));
    return characters;
  }

  /** By code points, where Java's own order is by UTF-16 units. */
  static int compare(String left, String right) {
    int[] a = left.codePoints().toArray();
    int[] b = right.codePoints().toArray();
    return java.util.Arrays.compare(a, b);
  }

  /**
   * @param characters what to strip, or null for white space
   */
  static String strip(String text, @Nullable String characters, boolean left, boolean right) {
    int start = 0;
    int end = text.length();
    while (left && start < end && strips(characters, text.codePointAt(start))) {
      start += Character.charCount(text.codePointAt(start));
    }
    while (right && end > start && strips(characters, text.codePointBefore(end))) {
      end -= Character.charCount(text.codePointBefore(end));
    }
    return text.substring(start, end);
  }

  private static boolean strips(@Nullable String characters, int point) {
    return characters == null ? isSpace(point) : characters.indexOf(point) >= 0;
  }

  /**
   * @param separator null to split at runs of white space
   * @param limit the most splits to make, or negative for all
   */
  static List<String> split(String text, @Nullable String separator, long limit) {
    List<String> parts = new ArrayList<>();
    int from = separator == null ? skipSpace(text, 0) : 0;
    while (separator != null || from < text.length()) {
      int at = limit >= 0 && parts.size() >= limit ? -1 : next(text, separator, from);
      if (at < 0) {
        parts.add(text.substring(from));
        break;
      }
      parts.add(text.substring(from, at));
      Limits.items(parts.size());
      from = separator == null ? skipSpace(text, at) : at + separator.length();
    }
    return parts;
  }

  private static int skipSpace(String text, int from) {
    int at = from;
    while (at < text.length() && isSpace(text.charAt(at))) {
      at++;
    }
    return at;
  }

  private static int next(String text, @Nullable String separator, int from) {
    if (separator != null) {
      return text.indexOf(separator, from);
    }
    int at = from;
    while (at < text.length() && !isSpace(text.charAt(at))) {
      at++;
    }
    return at < text.length() ? at : -1;
  }

  /** As {@link #split}, from the right. */
  static List<String> splitRight(String text, @Nullable String separator, long limit) {
    List<String> reversed =
        split(reverse(text), separator == null ? null : reverse(separator), limit);
    List<String> parts = new ArrayList<>();
    for (int i = reversed.size() - 1; i >= 0; i--) {
      parts.add(reverse(reversed.get(i)));
    }
    return parts;
  }

  static String reverse(String text) {
    return new StringBuilder(text).reverse().toString();
  }

  static List<String> lines(String text, boolean keepEnds) {
    List<String> lines = new ArrayList<>();
    int start = 0;
    for (int i = 0; i < text.length(); i++) {
      if (isLineEnd(text.charAt(i))) {
        int end = i;
        if (text.charAt(i) == '\r' && i + 1 < text.length() && text.charAt(i + 1) == '\n') {
          i++;
        }
        lines.add(text.substring(start, keepEnds ? i + 1 : end));
        start = i + 1;
      }
    }
    if (start < text.length()) {
      lines.add(text.substring(start));
    }
    return lines;
  }

  private static boolean isLineEnd(char c) {
    return (c >= '\n' && c <= '\r')
        || (c >= 0x1c && c <= 0x1e)
        || c == 0x85
        || c == 0x2028
        || c == 0x2029;
  }

  static String upper(String text) {
    return text.toUpperCase(Locale.ROOT);
  }

  static String lower(String text) {
    return text.toLowerCase(Locale.ROOT);
  }

  static String capitalize(String text) {
    if (text.isEmpty()) {
      return text;
    }
    int first = text.offsetByCodePoints(0, 1);
    return title(text.substring(0, first)) + lower(text.substring(first));
  }

  /** Each run of letters with a large first one. */
  static String title(String text) {
    StringBuilder title = new StringBuilder();
    boolean inWord = false;
    for (int point : text.codePoints().toArray()) {
      String letter = Character.toString(point);
      String first = Character.toString(Character.toTitleCase(point));
      title.append(inWord ? lower(letter) : first.equals(letter) ? first(letter) : first);
      inWord = Character.isLetter(point) && isCased(point);
    }
    return title.toString();
  }

  /** The upper case of a letter that only grows when it is large, as in "ß" to "Ss". */
  private static String first(String letter) {
    String upper = upper(letter);
    boolean grows = upper.length() > letter.length() && !letter.equals(upper);
    return grows ? upper.charAt(0) + lower(upper.substring(1)) : letter;
  }

  static boolean isCased(int point) {
    return Character.isUpperCase(point)
        || Character.isLowerCase(point)
        || Character.isTitleCase(point);
  }

  static String escapeHtml(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&#34;")
        .replace("'", "&#39;");
  }

  /** The value of a string literal's inside. An unknown escape stays as it is written. */
  static String unescape(String written) {
    if (written.indexOf('\\') < 0) {
      return written;
    }
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < written.length(); i++) {
      char c = written.charAt(i);
      if (c != '\\') {
        text.append(c);
        continue;
      }
      char escape = written.charAt(++i);
      int known = "abfnrtv\\'\"".indexOf(escape);
      if (known >= 0) {
        text.append("\u0007\b\f\n\r\t\u000b\\'\"".charAt(known));
      } else if (escape == 'x' || escape == 'u' || escape == 'U') {
        int digits = escape == 'x' ? 2 : escape == 'u' ? 4 : 8;
        text.appendCodePoint(number(written, i + 1, digits, 16));
        i += digits;
      } else if (escape >= '0' && escape <= '7') {
        int end = i + 1;
        while (end < Math.min(i + 3, written.length())
            && "01234567".indexOf(written.charAt(end)) >= 0) {
          end++;
        }
        text.appendCodePoint(number(written, i, end - i, 8));
        i = end - 1;
      } else if (escape != '\n') {
        text.append('\\').append(escape);
      }
    }
    return text.toString();
  }

  private static int number(String written, int from, int digits, int base) {
    try {
      int point = Integer.parseInt(written.substring(from, from + digits), base);
      if (point >= 0 && point <= Character.MAX_CODE_POINT) {
        return point;
      }
    } catch (NumberFormatException | IndexOutOfBoundsException e) {
      // Falls through to the same refusal.
    }
    throw new TemplateException("an escape in a string must be a character's number but is not");
  }
}
