package org.dpo4j.data;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.dpo4j.OptionText;

/** Suggests which column of a row may be the missing one, for the option {@code columns}. */
final class ColumnHint {
  /**
   * Columns that often hold a prompt; they are suggested, never read as one, since their content
   * varies.
   */
  static final List<String> PROMPTS =
      List.of("history", "context", "dialogue", "dialog", "user_prompt", "user_input", "post");

  /** Words in column names that mark the better and the worse side. */
  private static final List<List<String>> OPPOSITES =
      List.of(
          List.of("chosen", "rejected"),
          List.of("good", "bad"),
          List.of("better", "worse"),
          List.of("best", "worst"),
          List.of("winner", "loser"),
          List.of("winning", "losing"),
          List.of("win", "lose"),
          List.of("preferred", "dispreferred"),
          List.of("preferred", "rejected"),
          List.of("preferred", "other"),
          List.of("accepted", "rejected"),
          List.of("positive", "negative"),
          List.of("correct", "incorrect"));

  /** Columns that never hold a prompt. */
  private static final Pattern NO_PROMPT =
      Pattern.compile(
          "(?i)(.*[\\W_])?(id|index|idx|source|scores?|weight|margin|model|date|split|)([\\W_].*)?");

  private ColumnHint() {}

  /** The advice for a column that the first row of a file lacks. */
  static String of(String missing, Map<?, ?> row) {
    List<String> columns =
        row.keySet().stream()
            .map(String::valueOf)
            .filter(name -> !MarginColumns.NAMES.contains(name))
            .toList();
    if (missing.equals("chosen") && columns.contains("completion")) {
      return columns.contains(CompletionColumns.LABEL)
          ? OptionText.of("labelled completions are trained on with {loss_type} kto")
          : "completions to imitate are trained on with the command sft";
    }
    List<String> items = new ArrayList<>();
    if (!columns.contains("prompt")) {
      PROMPTS.stream()
          .filter(columns::contains)
          .findFirst()
          .ifPresent(name -> items.add("prompt=" + name));
    }
    Optional<OtherNames.Split> sides = sides(columns);
    if (sides.isPresent() && items.isEmpty() && !columns.contains("prompt")) {
      List<String> others =
          columns.stream()
              .filter(name -> !name.equals(sides.get().chosen()))
              .filter(name -> !name.equals(sides.get().rejected()))
              .filter(name -> !NO_PROMPT.matcher(name).matches())
              .toList();
      // Without it the pairs would be trained with empty prompts.
      if (!others.isEmpty()) {
        items.add("prompt=" + (others.size() == 1 ? others.get(0) : "NAME"));
      }
    }
    sides.ifPresent(
        found -> {
          items.add("chosen=" + found.chosen());
          items.add("rejected=" + found.rejected());
        });
    return sides.isPresent()
        ? OptionText.of("name the columns with {columns} ") + String.join(",", items)
        : OptionText.of("where it has another name, pass {columns} %s=NAME", missing);
  }

  private static Optional<OtherNames.Split> sides(List<String> columns) {
    for (List<String> words : OPPOSITES) {
      for (String chosen : columns) {
        String lower = chosen.toLowerCase(Locale.ROOT);
        if (lower.contains(words.get(0))) {
          String other = lower.replace(words.get(0), words.get(1));
          Optional<String> rejected =
              columns.stream()
                  .filter(
                      name -> !name.equals(chosen) && name.toLowerCase(Locale.ROOT).equals(other))
                  .findFirst();
          if (rejected.isPresent()) {
            return Optional.of(new OtherNames.Split(chosen, rejected.get()));
          }
        }
      }
    }
    return Optional.empty();
  }
}
