package org.dpo4j.model.lora;

import java.util.regex.Pattern;

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
    return pattern.matcher(new Counted(setting, pattern, path)).matches();
  }

  /** A path that counts how often a matcher looks at it. */
  private static final class Counted implements CharSequence {
    private final String setting;
    private final Pattern pattern;
    private final String path;
    private int steps;

    Counted(String setting, Pattern pattern, String path) {
      this.setting = setting;
      this.pattern = pattern;
      this.path = path;
    }

    @Override
    public char charAt(int index) {
      if (++steps > STEPS) {
        throw new LoraSettingException(
            setting,
            "must have regular expressions that decide within %,d steps but %s does not for %s; write it without nested repetitions"
                .formatted(STEPS, pattern, path));
      }
      return path.charAt(index);
    }

    @Override
    public int length() {
      return path.length();
    }

    @Override
    public CharSequence subSequence(int start, int end) {
      return path.subSequence(start, end);
    }

    @Override
    public String toString() {
      return path;
    }
  }
}
