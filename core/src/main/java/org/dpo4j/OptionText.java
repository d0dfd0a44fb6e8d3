package org.dpo4j;

import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Messages that name options. A message is written once, as in {@code "{learning_rate} must be
 * above 0"}; a Java program shows the bare name, and the command line, which alone defines the
 * spelling of options, shows {@code --learning_rate}.
 *
 * <p>In a string, each name follows U+FDD0, a code point that Unicode reserves for use inside a
 * program, so that braces or dashes in a user's data are never taken for an option.
 */
@Internal
public final class OptionText {
  private static final char MARK = '\uFDD0';
  private static final Pattern NAME = Pattern.compile("\\{(%s|[a-z][a-z0-9_]*)}");

  private OptionText() {}

  /**
   * A message with marked names.
   *
   * @param template in the form of {@link String#format} if there are arguments, else as it is;
   *     option names stand in braces, {@code {%s}} for one that is an argument
   * @param arguments values for {@code %s} and the like
   * @return the text with marks
   */
  public static String of(String template, @Nullable Object... arguments) {
    String marked = NAME.matcher(template).replaceAll(MARK + "$1");
    return arguments.length == 0 ? marked : String.format(Locale.ROOT, marked, arguments);
  }

  /**
   * The text with bare names.
   *
   * @param marked a text with marks
   * @return the text without marks
   */
  public static String plain(String marked) {
    return marked.replace(String.valueOf(MARK), "");
  }

  /**
   * The text with names as flags: two dashes before each.
   *
   * @param marked a text with marks
   * @return the text with flags of the command line
   */
  public static String flags(String marked) {
    return marked.replace(String.valueOf(MARK), "--");
  }

  /** The option that the text begins with; empty if it begins with anything else. */
  static String first(String marked) {
    return marked.isEmpty() || marked.charAt(0) != MARK
        ? ""
        : marked.substring(1).split("\\W", 2)[0];
  }
}
