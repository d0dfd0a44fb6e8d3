package org.dpo4j.spark;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.UsageException;
import org.dpo4j.options.GivenValue;
import org.dpo4j.options.OptionSpec;
import org.dpo4j.options.OptionTable;
import org.dpo4j.options.YamlOptions;

/**
 * The words of a command line as options: {@code --name value}, {@code --name=value}, dashes or
 * underscores in names, several values after one name, a flag without a value.
 *
 * @param flags from the command line
 * @param file from the YAML file of {@code --config}; they have less weight
 */
record Arguments(Map<String, GivenValue> flags, Map<String, GivenValue> file) {

  private static final String CONFIG = "config";

  /**
   * @param words after the command
   * @throws UsageException if a word belongs to no option, or an option stands twice
   */
  static Arguments of(List<String> words, OptionTable<?> table) {
    Map<String, List<String>> found = new LinkedHashMap<>();
    List<String> values = new ArrayList<>();
    for (String word : words) {
      if (word.startsWith("--")) {
        String[] parts = word.substring(2).split("=", 2);
        String name = parts[0].replace('-', '_');
        name = table.canonicalName(name).orElse(name);
        values = new ArrayList<>();
        if (parts.length == 2) {
          values.add(parts[1]);
        }
        if (found.put(name, values) != null) {
          throw new UsageException(name, "is given twice", "", "keep one");
        }
      } else if (found.isEmpty()) {
        throw new UsageException(
            "\"%s\" belongs to no option; a value follows its option's name".formatted(word));
      } else {
        values.add(word);
      }
    }
    Map<String, GivenValue> flags = new LinkedHashMap<>();
    List<String> config = found.remove(CONFIG);
    found.forEach((name, texts) -> flags.put(name, value(name, texts, table)));
    return new Arguments(
        flags, config == null ? Map.of() : YamlOptions.read(Path.of(String.join(" ", config))));
  }

  private static GivenValue value(String name, List<String> texts, OptionTable<?> table) {
    OptionSpec option =
        table.options().stream().filter(one -> one.name().equals(name)).findFirst().orElse(null);
    if (texts.isEmpty()) {
      if (option == null || option.flag()) {
        return GivenValue.of("true");
      }
      throw new UsageException(name, "needs a value", "", "");
    }
    if (texts.size() > 1 && option != null && !option.list()) {
      throw new UsageException(
          name, "takes one value", "got " + String.join(" ", texts), "keep one");
    }
    return GivenValue.of(texts.size() == 1 ? texts.get(0) : texts);
  }

  /** All of them by name; flags win. */
  Map<String, GivenValue> all() {
    Map<String, GivenValue> all = new LinkedHashMap<>(file);
    all.putAll(flags);
    return all;
  }
}
