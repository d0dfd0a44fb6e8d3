package org.dpo4j.jinja;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The names visible at a place of a template, while it renders. */
final class Scope {
  private final Run run;
  private final @Nullable Scope outer;
  private final Map<String, Value> values = new HashMap<>();

  private Scope(Run run, @Nullable Scope outer) {
    this.run = run;
    this.outer = outer;
  }

  static Scope root(Run run, Map<String, Value> values) {
    Scope root = new Scope(run, null);
    root.values.putAll(values);
    return root;
  }

  /** A scope that sees this one's names and keeps its own to itself. */
  Scope inner() {
    return new Scope(run, this);
  }

  Run run() {
    return run;
  }

  Value get(String name) {
    for (Scope scope = this; scope != null; scope = scope.outer) {
      Value value = scope.values.get(name);
      if (value != null) {
        return value;
      }
    }
    return new Value.Undefined("'" + name + "' is undefined");
  }

  void set(String name, Value value) {
    values.put(name, value);
  }
}
