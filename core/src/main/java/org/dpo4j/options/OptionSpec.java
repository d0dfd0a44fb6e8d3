package org.dpo4j.options;

import java.util.List;
import java.util.Optional;

/**
 * One option as the flags, the YAML file and the help see it.
 *
 * @param name in snake case, without dashes
 * @param aliases other accepted names
 * @param group heading in the help and in the resolved run; empty where there is one group only
 * @param help what it does
 * @param defaultText the default as a user would write it; empty for none
 * @param required whether it must be given
 * @param label short name of a value, for the help
 * @param choices all values of a closed set; empty for open types
 * @param flag whether the bare option means true
 * @param list whether it takes several values, with commas between them or given repeatedly
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

  /** Longer lists stand in the documentation and in the message about a wrong value. */
  private static final int ROOM = 48;

  /** What it does and, where there is room on its line, which values there are. */
  public String description() {
    String values = String.join("/", choices);
    boolean shown = !flag && !values.isEmpty() && values.length() <= ROOM;
    return shown ? "%s [%s]".formatted(help, values) : help;
  }
}
