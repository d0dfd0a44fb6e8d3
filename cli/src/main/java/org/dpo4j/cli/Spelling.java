package org.dpo4j.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.dpo4j.UsageException;
import org.dpo4j.options.Suggestion;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/**
 * Normalizes the spelling of options: dashes for underscores, {@code --no_NAME} for {@code
 * --NAME=false}, and one or more values after the name.
 *
 * @param options all options of a command by name, without the leading dashes
 * @param bareWord whether the command takes a word without a name; it may stand behind the value of
 *     an option that has only one
 */
record Spelling(Map<String, OptionSpec> options, boolean bareWord) {

  /** Words that can be a value only after an equals sign. */
  private static final Pattern OPTION = Pattern.compile("(?s)--[A-Za-z][\\w-]*(=.*)?|-[hV]");

  static Spelling of(CommandSpec command) {
    Map<String, OptionSpec> options = new LinkedHashMap<>();
    for (OptionSpec option : command.options()) {
      for (String name : option.names()) {
        options.put(name.replaceFirst("^-+", ""), option);
      }
    }
    return new Spelling(options, !command.positionalParameters().isEmpty());
  }

  /**
   * The words with every option under its canonical name, repeated for each value, in the form
   * NAME=VALUE.
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
      OptionSpec option = options.get(name);
      if (option != null && (parts.length == 2 || option.arity().max() == 0)) {
        canonical.add("--" + name + word.substring(2 + name.length()));
      } else if (option != null) {
        List<String> values = values(words, i, bareWord && takesOne(option) ? 1 : words.size());
        i += values.size();
        if (values.isEmpty()) {
          values = List.of(bare(option, name, i + 1 < words.size() ? words.get(i + 1) : ""));
        }
        values.forEach(value -> canonical.add("--" + name + "=" + value));
      } else if (name.startsWith("no_")
          && parts.length == 1
          && options.containsKey(name.substring(3))) {
        canonical.add("--" + name.substring(3) + "=false");
      } else {
        unknown.add(Suggestion.unknown(name, options.keySet()));
      }
    }
    if (!unknown.isEmpty()) {
      throw new UsageException(String.join("\n", unknown));
    }
    return canonical;
  }

  private static boolean takesOne(OptionSpec option) {
    return option.userObject() instanceof org.dpo4j.options.OptionSpec own && !own.list();
  }

  /** The words after an option that are not options. */
  private static List<String> values(List<String> words, int option, int most) {
    int end = option + 1;
    while (end < words.size()
        && end - option <= most
        && !OPTION.matcher(words.get(end)).matches()) {
      end++;
    }
    return words.subList(option + 1, end);
  }

  /** The value of an option without one. */
  private static String bare(OptionSpec option, String name, String next) {
    if (option.arity().min() > 0) {
      throw new UsageException(
          "--%s needs a value%s; --help says which"
              .formatted(
                  name,
                  next.isEmpty()
                      ? ""
                      : " but %s stands behind it (write --%s=%s if it is the value)"
                          .formatted(next, name, next)));
    }
    return option.fallbackValue();
  }
}
