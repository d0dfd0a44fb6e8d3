package org.dpo4j.cli;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.dpo4j.UsageException;
import org.dpo4j.run.Suggestion;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/**
 * The ways to write an option's name: dashes for underscores, and {@code --no_NAME} for {@code
 * --NAME=false}.
 *
 * @param names all options of a verb, without the leading dashes
 */
record Spelling(Set<String> names) {

  static Spelling of(CommandSpec command) {
    Set<String> names = new LinkedHashSet<>();
    for (OptionSpec option : command.options()) {
      for (String name : option.names()) {
        names.add(name.replaceFirst("^-+", ""));
      }
    }
    return new Spelling(names);
  }

  /**
   * The words with every option under its one name.
   *
   * @throws UsageException naming all options that the verb does not have
   */
  List<String> canonical(List<String> words) {
    List<String> canonical = new ArrayList<>();
    List<String> unknown = new ArrayList<>();
    for (String word : words) {
      if (!word.startsWith("--") || word.length() == 2) {
        canonical.add(word);
        continue;
      }
      String[] parts = word.substring(2).split("=", 2);
      String name = parts[0].replace('-', '_');
      String value = parts.length == 2 ? "=" + parts[1] : "";
      if (names.contains(name)) {
        canonical.add("--" + name + value);
      } else if (name.startsWith("no_") && value.isEmpty() && names.contains(name.substring(3))) {
        canonical.add("--" + name.substring(3) + "=false");
      } else {
        unknown.add(Suggestion.unknown(name, names));
      }
    }
    if (!unknown.isEmpty()) {
      throw new UsageException(String.join("\n", unknown));
    }
    return canonical;
  }
}
