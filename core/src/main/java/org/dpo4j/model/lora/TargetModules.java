package org.dpo4j.model.lora;

import java.util.List;
import java.util.regex.Pattern;

/** Selects layers for adapters by path, by PEFT's rules. */
public sealed interface TargetModules {

  /** Whether the layer with this path is selected. */
  boolean matches(String path);

  /** Layers by name: the whole path or its last components. */
  record Named(List<String> names) implements TargetModules {
    public Named {
      names = List.copyOf(names);
    }

    @Override
    public boolean matches(String path) {
      return names.stream().anyMatch(name -> named(name, path));
    }

    static boolean named(String name, String path) {
      return path.equals(name) || path.endsWith("." + name);
    }
  }

  /**
   * Layers by a regular expression that matches the whole path.
   *
   * @param setting PEFT's name of the setting with the expression, for messages
   * @param expression in Python's notation, as files have it
   */
  record Matching(String setting, String expression, Pattern pattern) implements TargetModules {
    /** An expression in Python's notation: named groups are (?P<name>) there, (?<name>) in Java. */
    public Matching(String setting, String expression) {
      this(setting, expression, Pattern.compile(expression.replace("(?P<", "(?<")));
    }

    @Override
    public boolean matches(String path) {
      return PathPattern.matches(setting, pattern, path);
    }
  }

  /** Whether it names the embedding table or the head as PEFT asks where the two are tied. */
  default boolean namesTied() {
    if (this instanceof Named named) {
      return named.names().stream().anyMatch(LoraConfig::namesTied);
    }
    return this instanceof Matching && LoraConfig.TIED.stream().anyMatch(this::matches);
  }

  /** The names or the expression, for messages. */
  default List<String> words() {
    if (this instanceof Named named) {
      return named.names();
    }
    return List.of(this instanceof Matching matching ? matching.expression() : "all-linear");
  }

  /** All linear layers except the output head, as PEFT's {@code all-linear}. */
  record AllLinear() implements TargetModules {
    @Override
    public boolean matches(String path) {
      return LoraConfig.HEADS.stream().noneMatch(head -> Named.named(head, path));
    }
  }
}
