package org.dpo4j.cli;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dpo4j.UsageException;
import org.dpo4j.options.GivenValue;
import org.dpo4j.options.OptionSpec;
import org.dpo4j.options.OptionTable;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.UsageMessageSpec;
import picocli.CommandLine.ParseResult;

/** Turns the options of a configuration into flags with help. */
final class OptionFlags {
  private OptionFlags() {}

  /**
   * A command line for a command with the options of its table.
   *
   * @param unused names of options that the command does not use
   */
  static CommandLine line(CommandSpec spec, OptionTable<?> table, String... unused) {
    return line(spec, table, List.of(unused), Map.of(), options -> true);
  }

  /**
   * As above, for a command with other defaults.
   *
   * @param defaults by option
   * @param shown whether the help lists an option
   */
  static CommandLine line(
      CommandSpec spec,
      OptionTable<?> table,
      Map<String, String> defaults,
      Predicate<OptionSpec> shown) {
    return line(spec, table, List.of(), defaults, shown);
  }

  private static CommandLine line(
      CommandSpec spec,
      OptionTable<?> table,
      List<String> unused,
      Map<String, String> defaults,
      Predicate<OptionSpec> shown) {
    List<OptionSpec> options =
        table.options().stream().filter(option -> !unused.contains(option.name())).toList();
    for (OptionSpec option : options) {
      String[] names =
          Stream.concat(Stream.of(option.name()), option.aliases().stream())
              .map("--%s"::formatted)
              .toArray(String[]::new);
      spec.addOption(
          CommandLine.Model.OptionSpec.builder(names)
              .type(List.class)
              .auxiliaryTypes(String.class)
              .arity(option.flag() ? "0..1" : "1")
              .fallbackValue(option.flag() ? "true" : null)
              .paramLabel(option.name()) // the completion script names its lists after it
              .userObject(option)
              .completionCandidates(option.choices().isEmpty() ? null : option.choices())
              .build());
    }
    spec.mixinStandardHelpOptions(true).versionProvider(new Version());
    spec.usageMessage()
        .customSynopsis(synopsis(spec.name(), options))
        .sectionMap()
        .put(
            UsageMessageSpec.SECTION_KEY_OPTION_LIST,
            help ->
                optionList(options.stream().filter(shown).toList(), defaults)
                    + others(spec, table));
    return new CommandLine(spec);
  }

  /** Adds options that are accepted but not shown in the help. */
  static void addHidden(CommandLine line, Collection<String> names) {
    CommandSpec spec = line.getCommandSpec();
    for (String name : names) {
      if (spec.findOption("--" + name) == null) {
        spec.addOption(
            CommandLine.Model.OptionSpec.builder("--" + name)
                .type(List.class)
                .auxiliaryTypes(String.class)
                .arity("0..1")
                .fallbackValue("true")
                .hidden(true)
                .build());
      }
    }
  }

  /** The options on the command line by name; options of the table may be lists. */
  static Map<String, GivenValue> given(ParseResult result, OptionTable<?> table) {
    Set<String> lists =
        table.options().stream()
            .filter(OptionSpec::list)
            .map(OptionSpec::name)
            .collect(Collectors.toSet());
    Map<String, GivenValue> given = new LinkedHashMap<>();
    for (CommandLine.Model.OptionSpec option : result.matchedOptions()) {
      if (option.typeInfo().isCollection()) {
        String name = option.names()[0].substring(2);
        List<String> values = result.matchedOptionValue("--" + name, List.of());
        boolean list = option.hidden() || lists.contains(name);
        given.put(name, GivenValue.of(value(name, values, list)));
      }
    }
    return given;
  }

  private static String value(String name, List<String> values, boolean list) {
    if (list) {
      return String.join(",", values);
    }
    Set<String> distinct = new LinkedHashSet<>(values);
    if (distinct.size() > 1) {
      throw new UsageException(
          "--%s takes one value but got %d, %s; keep one, and put words with blanks in quotes"
              .formatted(name, values.size(), String.join(" and ", distinct)));
    }
    return String.join("", distinct);
  }

  private static String synopsis(String command, List<OptionSpec> options) {
    return "dpo4j "
        + command
        + options.stream()
            .filter(OptionSpec::required)
            .map(option -> " --%s %s".formatted(option.name(), option.label()))
            .collect(Collectors.joining())
        + " [OPTIONS]";
  }

  /** One line for each option, under the heading of its group. */
  static String optionList(List<OptionSpec> options) {
    return optionList(options, Map.of());
  }

  private static String optionList(List<OptionSpec> options, Map<String, String> defaults) {
    Map<String, List<OptionSpec>> groups = new LinkedHashMap<>();
    options.forEach(
        option -> groups.computeIfAbsent(option.group(), group -> new ArrayList<>()).add(option));
    int column = column(options);
    StringBuilder text = new StringBuilder();
    groups.forEach(
        (group, members) -> {
          text.append("%n%s:%n".formatted(heading(group)));
          for (OptionSpec option : members) {
            String line = "  %s".formatted(name(option));
            text.append(line)
                .append(" ".repeat(column - line.length()))
                .append(about(option, defaults));
            text.append(System.lineSeparator());
          }
        });
    return text.toString();
  }

  /** The column of the descriptions. */
  private static int column(List<OptionSpec> options) {
    int widest = options.stream().mapToInt(option -> name(option).length()).max().orElse(0);
    return Math.max(widest, "-V, --version".length()) + 4;
  }

  /** The options that belong to the command and not to the run. */
  private static String others(CommandSpec spec, OptionTable<?> table) {
    StringBuilder text = new StringBuilder("%nOther:%n".formatted());
    for (CommandLine.Model.OptionSpec option : spec.options()) {
      String name = option.longestName();
      if (!option.hidden() && table.canonicalName(name.substring(2)).isEmpty()) {
        String shown =
            String.join(", ", option.names()) + (option.arity().max() == 0 ? "" : " PATH");
        String line = "  " + shown;
        text.append(line).append(" ".repeat(column(table.options()) - line.length()));
        text.append("%s%n".formatted(String.join(" ", option.description())));
      }
    }
    return text.toString();
  }

  private static String heading(String group) {
    return group.isEmpty()
        ? "Options"
        : Character.toUpperCase(group.charAt(0)) + group.substring(1);
  }

  private static String name(OptionSpec option) {
    return "--%s %s".formatted(option.name(), option.label());
  }

  private static String about(OptionSpec option, Map<String, String> defaults) {
    Optional<String> value =
        Optional.ofNullable(defaults.get(option.name())).or(option::defaultText);
    String end = option.required() ? " (required)" : value.map(" (%s)"::formatted).orElse("");
    return option.description() + end;
  }
}
