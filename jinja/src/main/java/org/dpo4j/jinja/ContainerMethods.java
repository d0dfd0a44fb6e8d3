package org.dpo4j.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The methods of dicts, lists and tuples that change nothing; those that would are unsafe. */
final class ContainerMethods {
  private static final Set<String> CHANGES_DICT =
      Set.of("clear", "pop", "popitem", "setdefault", "update");
  private static final Set<String> CHANGES_LIST =
      Set.of("append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort");

  private ContainerMethods() {}

  /** The method bound to the value, or null where Python has none. */
  static @Nullable Value find(Value object, String name) {
    if (object instanceof Dict dict) {
      return CHANGES_DICT.contains(name) ? Access.unsafe(object, name) : ofDict(dict, name);
    } else if (object instanceof Seq seq && seq.kind == Seq.Kind.LIST) {
      return CHANGES_LIST.contains(name) ? Access.unsafe(object, name) : ofSequence(seq, name);
    } else if (object instanceof Seq seq && seq.kind.hasIndexes() && !name.equals("copy")) {
      return ofSequence(seq, name);
    }
    return null;
  }

  private static @Nullable Value ofDict(Dict dict, String name) {
    return switch (name) {
      case "get" ->
          new Value.Function(
              name,
              (run, args) -> {
                Args.Bound bound = args.bind(name, 1, "key", "default");
                Value found = dict.entries.get(Operators.key(bound.value("key")));
                return found == null ? bound.value("default", Values.NONE) : found;
              });
      case "items" -> view(name, () -> new Seq(Seq.Kind.ITEMS, pairs(dict)));
      case "keys" ->
          view(name, () -> new Seq(Seq.Kind.KEYS, new ArrayList<>(dict.entries.keySet())));
      case "values" ->
          view(name, () -> new Seq(Seq.Kind.VALUES, new ArrayList<>(dict.entries.values())));
      case "copy" -> view(name, () -> dict);
      default -> null;
    };
  }

  private static @Nullable Value ofSequence(Seq seq, String name) {
    return switch (name) {
      case "index" ->
          new Value.Function(
              name,
              (run, args) -> {
                run.steps(seq.weight() / 64);
                int index = seq.items.indexOf(args.bind(name, 1, "value").value("value"));
                if (index < 0) {
                  throw new TemplateException("the value is not in the " + seq.type());
                }
                return Value.of((long) index);
              });
      case "count" ->
          new Value.Function(
              name,
              (run, args) -> {
                run.steps(seq.weight() / 64);
                Value wanted = args.bind(name, 1, "value").value("value");
                return Value.of(seq.items.stream().filter(wanted::equals).count());
              });
      case "copy" -> view(name, () -> seq);
      default -> null;
    };
  }

  private static Value view(String name, java.util.function.Supplier<Value> value) {
    return new Value.Function(
        name,
        (run, args) -> {
          args.bind(name, 0);
          return value.get();
        });
  }

  /** A dict's entries as tuples. */
  static List<Value> pairs(Dict dict) {
    List<Value> pairs = new ArrayList<>(dict.entries.size());
    dict.entries.forEach((key, value) -> pairs.add(Value.tuple(key, value)));
    return pairs;
  }
}
