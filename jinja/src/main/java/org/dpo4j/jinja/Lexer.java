package org.dpo4j.jinja;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dpo4j.jinja.Token.Kind;

/**
 * Source to tokens, with Jinja's {@code trim_blocks} and {@code lstrip_blocks} on: a newline after
 * a block tag or comment goes, and so does the space before one that starts its line. {@code -}
 * takes all white space on its side, {@code +} keeps it.
 */
final class Lexer {
  // Possessive groups: others recurse once for each repetition.
  private static final Pattern FLOAT =
      Pattern.compile(
          "(?:\\d+_)*+\\d+(?:(?:\\.(?:\\d+_)*+\\d+)?[eE][+-]?(?:\\d+_)*+\\d+|\\.(?:\\d+_)*+\\d+)");
  private static final Pattern INTEGER =
      Pattern.compile(
          "0[bB](?:_?[01])++|0[oO](?:_?[0-7])++|0[xX](?:_?[0-9a-fA-F])++|[1-9](?:_?\\d)*+|0(?:_?0)*+");
  private static final Pattern OPERATOR =
      Pattern.compile("//|\\*\\*|==|!=|>=|<=|[-+/*%~\\[\\](){}><=.:|,;]");
  private static final Pattern RAW_END =
      Pattern.compile("\\{%([-+]?)[\\s\\x1c-\\x1f]*endraw[\\s\\x1c-\\x1f]*([-+]?)%\\}");
  private static final Pattern RAW_BEGIN = Pattern.compile("\\s*raw\\s*(-?)%\\}");

  private final String source;
  private final List<Token> tokens = new ArrayList<>();
  private int at;
  private int line = 1;

  /** Whether the text from {@link #at} begins a line, as far as lstrip is concerned. */
  private boolean lineStarts = true;

  private Lexer(String source) {
    this.source = source;
  }

  /**
   * @throws TemplateException with its place, when a tag or string does not end or a character
   *     means nothing
   */
  static List<Token> tokens(String source, String origin) {
    if (source.length() > Limits.SOURCE) {
      throw new TemplateException(
              "a template must have at most " + Limits.SOURCE + " characters but has more")
          .at(origin, 1);
    }
    String lines = source.replace("\r\n", "\n").replace('\r', '\n');
    Lexer lexer = new Lexer(lines.endsWith("\n") ? lines.substring(0, lines.length() - 1) : lines);
    try {
      lexer.template();
    } catch (TemplateException fault) {
      throw fault.at(origin, lexer.line);
    }
    return lexer.tokens;
  }

  private void template() {
    while (at < source.length()) {
      int tag = nextTag();
      if (tag < 0) {
        data(source.substring(at));
        at = source.length();
        break;
      }
      char type = source.charAt(tag + 1);
      char sign = tag + 2 < source.length() ? source.charAt(tag + 2) : ' ';
      boolean signed = sign == '-' || sign == '+';
      String text = source.substring(at, tag);
      data(stripped(text, signed ? sign : ' ', type != '{'));
      line += newlines(text);
      at = tag + (signed ? 3 : 2);
      switch (type) {
        case '#' -> comment();
        case '{' -> tag(Kind.VARIABLE_BEGIN, Kind.VARIABLE_END, "}}");
        default -> {
          Matcher raw = RAW_BEGIN.matcher(source).region(at, source.length());
          if (raw.lookingAt()) {
            raw(raw);
          } else {
            tag(Kind.BLOCK_BEGIN, Kind.BLOCK_END, "%}");
          }
        }
      }
    }
    tokens.add(new Token(Kind.END, "", line));
  }

  private int nextTag() {
    for (int brace = source.indexOf('{', at); brace >= 0; brace = source.indexOf('{', brace + 1)) {
      if (brace + 1 < source.length() && "{%#".indexOf(source.charAt(brace + 1)) >= 0) {
        return brace;
      }
    }
    return -1;
  }

  private String stripped(String text, char sign, boolean lstrip) {
    if (sign == '-') {
      return PythonText.strip(text, null, false, true);
    } else if (sign != '+' && lstrip) {
      int lineStart = text.lastIndexOf('\n') + 1;
      if ((lineStart > 0 || lineStarts) && PythonText.isBlank(text.substring(lineStart))) {
        return text.substring(0, lineStart);
      }
    }
    return text;
  }

  private void data(String text) {
    if (!text.isEmpty()) {
      tokens.add(new Token(Kind.DATA, text, line));
    }
  }

  private void comment() {
    int end = source.indexOf("#}", at);
    if (end < 0) {
      throw new TemplateException("a comment must end with '#}' but does not end");
    }
    // In "{#-}" no: the sign before the end must not be the one after the beginning.
    char sign = end > at ? source.charAt(end - 1) : ' ';
    line += newlines(source.substring(at, end));
    at = end + 2;
    afterTag(sign, true);
  }

  private void raw(Matcher begin) {
    line += newlines(begin.group());
    at = begin.end();
    if (!begin.group(1).isEmpty()) {
      skipSpace();
    }
    lineStarts = source.charAt(at - 1) == '\n';
    Matcher end = RAW_END.matcher(source);
    if (!end.find(at)) {
      throw new TemplateException("'raw' must end with 'endraw' but does not end");
    }
    String text = source.substring(at, end.start());
    data(stripped(text, end.group(1).isEmpty() ? ' ' : end.group(1).charAt(0), true));
    line += newlines(source.substring(at, end.end()));
    at = end.end();
    afterTag(end.group(2).isEmpty() ? ' ' : end.group(2).charAt(0), true);
  }

  /** Applies what the sign at a tag's end, or none, says about the white space that follows. */
  private void afterTag(char sign, boolean trimNewline) {
    if (sign == '-') {
      skipSpace();
    } else if (sign != '+' && trimNewline && at < source.length() && source.charAt(at) == '\n') {
      at++;
      line++;
    }
    lineStarts = source.charAt(at - 1) == '\n';
  }

  private void skipSpace() {
    while (at < source.length() && PythonText.isSpace(source.charAt(at))) {
      if (source.charAt(at++) == '\n') {
        line++;
      }
    }
  }

  private void tag(Kind begin, Kind end, String close) {
    tokens.add(new Token(begin, "", line));
    Deque<Character> open = new ArrayDeque<>();
    while (true) {
      skipSpace();
      if (at >= source.length()) {
        throw new TemplateException("a tag must end with '" + close + "' but does not end");
      }
      char first = source.charAt(at);
      boolean signed = first == '-' || (first == '+' && begin == Kind.BLOCK_BEGIN);
      if (open.isEmpty() && source.startsWith(close, signed ? at + 1 : at)) {
        tokens.add(new Token(end, "", line));
        at += signed ? 3 : 2;
        afterTag(signed ? first : ' ', begin == Kind.BLOCK_BEGIN);
        return;
      }
      inside(first, open);
    }
  }

  private void inside(char first, Deque<Character> open) {
    if (first == '\'' || first == '"') {
      string(first);
    } else if (Character.isUnicodeIdentifierStart(first) || first == '_') {
      int end = at;
      while (end < source.length()
          && (Character.isUnicodeIdentifierPart(source.charAt(end))
              && !Character.isIdentifierIgnorable(source.charAt(end)))) {
        end++;
      }
      add(Kind.NAME, end);
    } else if (!match(Kind.FLOAT, FLOAT)
        && !match(Kind.INTEGER, INTEGER)
        && !match(Kind.OPERATOR, OPERATOR)) {
      throw new TemplateException("unexpected character '" + first + "'");
    } else {
      balance(first, open);
    }
  }

  private boolean match(Kind kind, Pattern pattern) {
    Matcher matcher = pattern.matcher(source).region(at, source.length());
    // In "a.0.1" the "0.1" is two indexes, not a number.
    boolean found =
        matcher.lookingAt() && !(kind == Kind.FLOAT && at > 0 && source.charAt(at - 1) == '.');
    if (found) {
      add(kind, matcher.end());
    }
    return found;
  }

  private void add(Kind kind, int end) {
    tokens.add(new Token(kind, source.substring(at, end), line));
    at = end;
  }

  private static void balance(char bracket, Deque<Character> open) {
    int kind = "([{)]}".indexOf(bracket);
    if (kind >= 3) {
      if (open.isEmpty()) {
        throw new TemplateException("unexpected '" + bracket + "'");
      } else if (open.peek() != ")]}".charAt(kind - 3)) {
        throw new TemplateException("unexpected '" + bracket + "', expected '" + open.peek() + "'");
      }
      open.pop();
    } else if (kind >= 0) {
      open.push(")]}".charAt(kind));
    }
  }

  private void string(char quote) {
    int end = at + 1;
    while (end < source.length() && source.charAt(end) != quote) {
      end += source.charAt(end) == '\\' ? 2 : 1;
    }
    if (end >= source.length()) {
      throw new TemplateException("a string must end with " + quote + " but does not end");
    }
    String written = source.substring(at + 1, end);
    tokens.add(new Token(Kind.STRING, PythonText.unescape(written), line));
    line += newlines(written);
    at = end + 1;
  }

  private static int newlines(String text) {
    return (int) text.chars().filter(c -> c == '\n').count();
  }
}
