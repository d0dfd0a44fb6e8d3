package org.dpo4j.jinja;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/** The functions that every template can call: {@code range}, {@code dict}, {@code namespace}. */
final class Builtins {
  private Builtins() {}

  /** The built-in functions and the host's, each of one text, by name. */
  static Map<String, Value> with(Map<String, UnaryOperator<String>> hostFunctions) {
    Map<String, Value> all = new HashMap<>();
    all.put("range", new Value.Function("range", (run, args) -> range(args)));
    all.put("dict", new Value.Function("dict", (run, args) -> dict(args)));
    all.put("namespace", new Value.Function("namespace", (run, args) -> namespace(args)));
    hostFunctions.forEach(
        (name, function) ->
            all.put(
                name,
                new Value.Function(
                    name,
                    (run, args) -> {
                      String argument = Repr.text(argument(name, args));
                      return Value.of(function.apply(argument));
                    })));
    return all;
  }

  private static Value argument(String name, Args args) {
    boolean named = args.positional().isEmpty() && args.named().size() == 1;
    return named
        ? args.named().values().iterator().next()
        : args.bind(name, 1, "argument").value("argument");
  }

  private static Value range(Args args) {
    Args.Bound bound = args.bind("range", 1, "start", "stop", "step");
    boolean both = bound.has("stop");
    long start = both ? Operators.integer(bound.value("start")) : 0;
    long stop = Operators.integer(bound.value(both ? "stop" : "start"));
    long step = bound.has("step") ? Operators.integer(bound.value("step")) : 1;
    if (step == 0) {
      throw new TemplateException("range() step must not be zero but was");
    }
    List<Value> items = new ArrayList<>();
    for (long i = start; step > 0 ? i < stop : i > stop; i += step) {
      Limits.check("range", items.size() + 1L, Limits.RANGE, "elements");
      items.add(Value.of(i));
      if (step > 0 ? i > Long.MAX_VALUE - step : i < Long.MIN_VALUE - step) {
        break;
      }
    }
    return new Seq(Seq.Kind.RANGE, items);
  }

  private static Map<Value, Value> entries(Args args) {
    Map<Value, Value> entries = new LinkedHashMap<>();
    Args.Bound positional = new Args(args.positional(), Map.of()).bind("dict", 0, "mapping");
    if (positional.has("mapping")) {
      Value mapping = positional.value("mapping");
      if (mapping instanceof Dict dict) {
        entries.putAll(dict.entries);
      } else {
        for (Value pair : Operators.iterate(mapping)) {
          List<Value> both = Operators.iterate(pair);
          if (both.size() != 2) {
            throw new TemplateException(
                "dict() needs pairs but one has " + both.size() + " elements");
          }
          entries.put(Operators.key(both.get(0)), both.get(1));
        }
      }
    }
    args.named().forEach((name, value) -> entries.put(Value.of(name), value));
    return entries;
  }

  private static Value dict(Args args) {
    return new Dict(entries(args));
  }

  private static Value namespace(Args args) {
    Value.Namespace namespace = new Value.Namespace();
    entries(args).forEach((name, value) -> namespace.set(Repr.text(name), value));
    return namespace;
  }
}
