package org.dpo4j.model.lora;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dpo4j.options.CountedText;

/**
 * Matches a regular expression of an adapter's file, which a stranger may have written, with the
 * path of a layer, in bounded time.
 */
final class PathPattern {
  /** Characters looked at for one path; an expression that backtracks without end exceeds it. */
  private static final int STEPS = 1_000_000;

  private PathPattern() {}

  /**
   * Whether the expression matches the whole path.
   *
   * @param setting PEFT's name of the setting with the expression, for messages
   * @throws LoraSettingException if that takes too many steps
   */
  static boolean matches(String setting, Pattern pattern, String path) {
    return matcher(setting, pattern, path).matches();
  }

  /** A matcher of the path that throws as {@link #matches} does. */
  static Matcher matcher(String setting, Pattern pattern, String path) {
    CountedText counted =
        new CountedText(
            path,
            STEPS,
            () ->
                new LoraSettingException(
                    setting,
                    "must have regular expressions that decide within %,d steps but %s does not for %s; write it without nested repetitions"
                        .formatted(STEPS, pattern, path)));
    return pattern.matcher(counted);
  }
}
