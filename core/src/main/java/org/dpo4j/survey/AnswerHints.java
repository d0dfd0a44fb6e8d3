package org.dpo4j.survey;

import java.lang.Character.UnicodeScript;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/** What an answer looks like from outside: cheap, and no more than a hint. */
final class AnswerHints {
  /** Openings of English refusals. */
  private static final Pattern REFUSAL =
      Pattern.compile(
          "(i['’]?m|i am) (really |very |truly )?sorry,? (but )?(i |that )"
              + "|sorry,? (but )?i (can|will|am not|do not|don)"
              + "|i (can['’]?t|cannot|can not|won['’]?t|will not|must decline|refuse to)\\b"
              + "|i['’]?m (not able|unable|not comfortable)|i am (not able|unable)"
              + "|as an ai\\b");

  private static final Pattern TAG = Pattern.compile("<[^<>\\s]{1,40}>");

  private static final int OPENING = 80; // characters in which a refusal begins

  private static final int READ = 2000; // characters that decide on the script

  private AnswerHints() {}

  /** Whether an answer opens as English refusals do. */
  static boolean refuses(String answer) {
    String text = withoutTags(answer).strip();
    String opening = text.substring(0, Math.min(OPENING, text.length())).toLowerCase(Locale.ROOT);
    return REFUSAL.matcher(opening).find();
  }

  /** The script that more than half of the letters have, if there are any. */
  static Optional<UnicodeScript> script(String answer) {
    Map<UnicodeScript, Integer> letters = new EnumMap<>(UnicodeScript.class);
    int all = 0;
    String text = withoutTags(answer);
    for (int at = 0; at < Math.min(text.length(), READ); ) {
      int point = text.codePointAt(at);
      at += Character.charCount(point);
      if (Character.isLetter(point)) {
        letters.merge(UnicodeScript.of(point), 1, Integer::sum);
        all++;
      }
    }
    int half = all / 2;
    return letters.entrySet().stream()
        .filter(entry -> entry.getValue() > half)
        .map(Map.Entry::getKey)
        .findFirst();
  }

  /** Without special tokens and the tags of a template, which are Latin in any language. */
  private static String withoutTags(String answer) {
    return TAG.matcher(answer.substring(0, Math.min(answer.length(), READ))).replaceAll("");
  }
}
