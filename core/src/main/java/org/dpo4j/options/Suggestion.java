package org.dpo4j.options;

import java.util.Collection;
import java.util.Comparator;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.OptionText;

/** Suggests the name that a user most likely meant. */
public final class Suggestion {
  /** Common names of values that have another name here. */
  private static final Map<String, String> MEANT = Map.of("dpo", "sigmoid", "cdpo", "sigmoid");

  private Suggestion() {}

  /** The value of a closed set that a user most likely meant, if one is near. */
  public static Optional<String> choice(String text, Collection<String> choices) {
    String word = text.toLowerCase(Locale.ROOT);
    String meant = MEANT.getOrDefault(word, "");
    return choices.contains(meant) ? Optional.of(meant) : nearest(word, choices);
  }

  /** The message for an unknown option, with the nearest known name if one is close. */
  public static String unknown(String name, Collection<String> known) {
    return OptionText.of(
        "{%s} is no option here; %s",
        name,
        nearest(name, known)
            .map(nearest -> OptionText.of("did you mean {%s}?", nearest))
            .orElse(OptionText.of("{help} lists the options")));
  }

  /**
   * The known name with the smallest edit distance from {@code name}, if that is small for its
   * length.
   */
  public static Optional<String> nearest(String name, Collection<String> known) {
    return known.stream()
        .filter(candidate -> distance(name, candidate) <= Math.max(1, (name.length() + 1) / 3))
        .min(Comparator.comparingInt(candidate -> distance(name, candidate)));
  }

  /** Levenshtein distance: insertions, deletions and replacements of single characters. */
  static int distance(String a, String b) {
    int[] previous = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      previous[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int[] current = new int[b.length() + 1];
      current[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int replaced = previous[j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        current[j] = Math.min(replaced, 1 + Math.min(previous[j], current[j - 1]));
      }
      previous = current;
    }
    return previous[b.length()];
  }
}
