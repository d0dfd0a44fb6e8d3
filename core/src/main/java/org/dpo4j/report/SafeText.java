package org.dpo4j.report;

import java.util.regex.Pattern;

/**
 * Text from elsewhere, such as pairs, file names and answers of a model, in a form that its sink
 * shows and does not obey: control characters, bidirectional controls and invisible characters
 * become escapes such as {@code \u001b}, which JSON, YAML and Java read back as the character.
 */
public final class SafeText {
  private static final Pattern BLANKS = Pattern.compile("\\s+");
  private static final Pattern MARKDOWN_SPECIAL =
      Pattern.compile(
          "[\\\\`*{}\\[\\]<>#|~$&]|(?<!\\w)_|_(?!\\w)"
              + "|^[-+=]|(?<=^\\d{1,9})[.)](?=\\s|$)" // a list or the line under a heading
              + "|(?<=\\b[a-zA-Z]{3,5}):(?=//)|(?<=\\b[wW]{3})\\."); // a link without brackets

  /** Joiners and emoji are written only beside characters from here on. */
  private static final int FIRST_JOINED = 0x590;

  private SafeText() {}

  /** Text for a terminal or a log, in lines as it is. */
  public static String text(String raw) {
    int kept = 0;
    while (kept < raw.length() && isPlain(raw.charAt(kept))) {
      kept++;
    }
    if (kept == raw.length()) {
      return raw;
    }
    StringBuilder safe = new StringBuilder(raw.length() + 16);
    int before = 0;
    for (int i = 0; i < raw.length(); ) {
      int point = raw.codePointAt(i);
      int next = i + Character.charCount(point);
      if (isLineBreak(raw, i) || !isHidden(point) || joins(before, point, raw, next)) {
        safe.appendCodePoint(point);
      } else {
        raw.substring(i, next).chars().forEach(unit -> safe.append(escape(unit)));
      }
      before = point;
      i = next;
    }
    return safe.toString();
  }

  /** As {@link #text}, on one line: text with line breaks cannot pass for several messages. */
  public static String line(String raw) {
    return text(raw.replace("\n", "\\n").replace("\r", "\\r"));
  }

  /** Text that Markdown and HTML show as it is, on one line and without links. */
  static String markdown(String raw) {
    String oneLine = text(BLANKS.matcher(raw).replaceAll(" ").strip());
    return MARKDOWN_SPECIAL.matcher(oneLine).replaceAll("\\\\$0");
  }

  /** The content of an XML element, on one line. */
  static String xml(String raw) {
    return line(raw).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
  }

  private static String escape(int unit) {
    return String.format("\\u%04x", unit);
  }

  private static boolean isPlain(char unit) {
    return (unit >= ' ' && unit <= '~') || unit == '\n' || unit == '\t';
  }

  private static boolean isLineBreak(String raw, int i) {
    char unit = raw.charAt(i);
    return unit == '\n'
        || unit == '\t'
        || (unit == '\r' && i + 1 < raw.length() && raw.charAt(i + 1) == '\n');
  }

  /** Whether the code point controls what displays it, or shows nothing. */
  private static boolean isHidden(int point) {
    return switch (Character.getType(point)) {
      case Character.CONTROL,
          Character.SURROGATE,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR ->
          true;
      case Character.FORMAT -> !isArabicSign(point);
      default ->
          (point & 0xfffe) == 0xfffe // no character in any plane
              || (point >= 0xfdd0 && point <= 0xfdef)
              || (point >= 0xe0000 && point <= 0xe0fff) // tags, variation selectors
              || point == 0x34f // grapheme joiner
              || point == 0x115f
              || point == 0x1160
              || point == 0x3164
              || point == 0xffa0; // Hangul fillers
    };
  }

  /** Signs that stand above or below numbers: formats, yet visible. */
  private static boolean isArabicSign(int point) {
    return (point >= 0x600 && point <= 0x605)
        || point == 0x6dd
        || point == 0x70f
        || (point >= 0x890 && point <= 0x891)
        || point == 0x8e2;
  }

  /**
   * Whether this is a joiner of an emoji or of a script that is written with joiners. Between
   * letters of other scripts it would make two equal-looking words.
   */
  private static boolean joins(int before, int point, String raw, int next) {
    return (point == 0x200c || point == 0x200d)
        && before >= FIRST_JOINED
        && !isHidden(before)
        && next < raw.length()
        && raw.codePointAt(next) >= FIRST_JOINED
        && !isHidden(raw.codePointAt(next));
  }
}
