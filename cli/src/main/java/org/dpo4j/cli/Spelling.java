package org.dpo4j.cli;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.dpo4j.UsageException;
import org.dpo4j.run.Suggestion;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/**
 * The ways to write options: dashes for underscores, {@code --no_NAME} for {@code --NAME=false},
 * and a value, or several of a list, behind the name.
 *
 * @param names all options of a command, without the leading dashes
 * @param valued those of them that need a value
 * @param lists those of {@code valued} that take several values
 */
record Spelling(Set<String> names, Set<String> valued, Set<String> lists) {

  /** Words that an option's value can only be behind an equals sign. */
  private static final Pattern OPTION = Pattern.compile("(?s)--[A-Za-z][\\w-]*(=.*)?|-[hV]");

  static Spelling of(CommandSpec command) {
    Set<String> names = new LinkedHashSet<>();
    Set<String> valued = new HashSet<>();
    Set<String> lists = new HashSet<>();
    for (OptionSpec option : command.options()) {
      for (String dashed : option.names()) {
        String name = dashed.replaceFirst("^-+", "");
        names.add(name);
        if (option.arity().min() > 0) {
          valued.add(name);
        }
        if (option.arity().min() > 0 && option.arity().max() > 1) {
          lists.add(name);
        }
      }
    }
    return new Spelling(names, valued, lists);
  }

  /**
   * The words with every option under its one name, values attached to it.
   *
   * @throws UsageException naming all options that the command does not have
   */
  List<String> canonical(List<String> words) {
    List<String> canonical = new ArrayList<>();
    List<String> unknown = new ArrayList<>();
    for (int i = 0; i < words.size(); i++) {
      String word = words.get(i);
      if (!word.startsWith("--") || word.length() == 2) {
        canonical.add(word);
        continue;
      }
      String[] parts = word.substring(2).split("=", 2);
      String name = parts[0].replace('-', '_');
      if (names.contains(name)) {
        int last = parts.length == 2 ? i : lastValue(name, words, i);
        if (last == i) {
          canonical.add("--" + name + (parts.length == 2 ? "=" + parts[1] : ""));
        }
        for (; i < last; i++) {
          canonical.add("--" + name + "=" + words.get(i + 1));
        }
      } else if (name.startsWith("no_") && parts.length == 1 && names.contains(name.substring(3))) {
        canonical.add("--" + name.substring(3) + "=false");
      } else {
        unknown.add(Suggestion.unknown(name, names) + asValue(words, i));
      }
    }
    if (!unknown.isEmpty()) {
      throw new UsageException(String.join("\n", unknown));
    }
    return canonical;
  }

  /**
   * Where the values end that stand behind the option at {@code option}; there, if there is none.
   */
  private int lastValue(String name, List<String> words, int option) {
    int most = lists.contains(name) ? words.size() - 1 : option + 1;
    int last = option;
    while (valued.contains(name)
        && last < most
        && last + 1 < words.size()
        && !OPTION.matcher(words.get(last + 1)).matches()) {
      last++;
    }
    return last;
  }

  /** What to write when an unknown option was meant as the value of the option before it. */
  private String asValue(List<String> words, int i) {
    String before = i == 0 ? "" : words.get(i - 1).replaceFirst("^--", "").replace('-', '_');
    return valued.contains(before)
        ? "; if it is the value of --%s, write --%s=%s".formatted(before, before, words.get(i))
        : "";
  }
}
