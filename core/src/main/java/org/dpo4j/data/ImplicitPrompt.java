package org.dpo4j.data;

import java.util.List;
import org.dpo4j.Message;

/**
 * Finds the prompt that both completions begin with, by the rule of TRL 1.16: it ends at the first
 * difference, or one character before the end of the shorter side if there is none, so that no side
 * becomes empty. One deviation: if the very first characters differ, the prompt is empty here; TRL
 * reads the last character of chosen as the one before the first, and may keep a space.
 */
final class ImplicitPrompt {
  private ImplicitPrompt() {}

  /**
   * The length of the shared prompt in UTF-16 units, never inside a surrogate pair. A space before
   * the first difference belongs to the completions, because tokenizers join it to the next word.
   * Both sides must have at least one character.
   */
  static int lengthOf(String chosen, String rejected) {
    int shorter = Math.min(chosen.length(), rejected.length());
    int at = 0;
    while (at < shorter) {
      int codePoint = chosen.codePointAt(at);
      if (codePoint != rejected.codePointAt(at)) {
        return at > 0 && chosen.charAt(at - 1) == ' ' ? at - 1 : at;
      }
      at += Character.charCount(codePoint);
    }
    return chosen.offsetByCodePoints(at, -1);
  }

  /** The number of leading turns that both sides share. Both must have at least one turn. */
  static int lengthOf(List<Message> chosen, List<Message> rejected) {
    int shorter = Math.min(chosen.size(), rejected.size());
    for (int at = 0; at < shorter; at++) {
      if (!chosen.get(at).equals(rejected.get(at))) {
        return at;
      }
    }
    return shorter - 1;
  }
}
