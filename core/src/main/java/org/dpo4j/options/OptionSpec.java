package org.dpo4j.options;

import java.util.List;
import java.util.Optional;

/**
 * The description of one option for flags, YAML files and help.
 *
 * @param name in snake case, without dashes
 * @param aliases other accepted names
 * @param group heading in the help and in the resolved configuration; empty if there is only one
 *     group
 * @param help short description
 * @param defaultText the default as a user would write it; empty for none
 * @param required whether it must be given
 * @param label short name of a value, for the help
 * @param choices all values of a closed set; empty for open types
 * @param flag whether the bare option means true
 * @param list whether it takes several values, separated by commas or given repeatedly
 * @param stream whether the path {@code -} means the standard stream
 */
public record OptionSpec(
    String name,
    List<String> aliases,
    String group,
    String help,
    Optional<String> defaultText,
    boolean required,
    String label,
    List<String> choices,
    boolean flag,
    boolean list,
    boolean stream) {

  /** Longer lists of choices are left to the documentation and to error messages. */
  private static final int MAX_CHOICES_WIDTH = 48;

  /** The description and, if they fit on the line, the choices. */
  public String description() {
    String values = String.join("/", choices);
    boolean shown = !flag && !values.isEmpty() && values.length() <= MAX_CHOICES_WIDTH;
    return shown ? "%s [%s]".formatted(help, values) : help;
  }
}
