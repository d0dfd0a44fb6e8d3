package org.dpo4j.jinja;

import static java.util.Map.entry;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** Jinja's filters on sequences and mappings. */
final class SequenceFilters {
  static final Map<String, Filters.Filter> ALL =
      Map.ofEntries(
          entry("batch", (run, v, a) -> batch(v, a)),
          entry("count", (run, v, a) -> Value.of((long) Operators.length(v))),
          entry("dictsort", (run, v, a) -> dictsort(v, a)),
          entry("first", (run, v, a) -> first(v)),
          entry("groupby", (run, v, a) -> groupby(v, a)),
          entry("items", (run, v, a) -> items(v)),
          entry("join", (run, v, a) -> join(v, a)),
          entry("last", (run, v, a) -> last(v)),
          entry("length", (run, v, a) -> Value.of((long) Operators.length(v))),
          entry("list", (run, v, a) -> Value.list(new ArrayList<>(Operators.iterate(v)))),
          entry("map", SequenceFilters::map),
          entry("max", (run, v, a) -> extreme("max", v, a)),
          entry("min", (run, v, a) -> extreme("min", v, a)),
          entry("reject", (run, v, a) -> select(run, v, a, false, false)),
          entry("rejectattr", (run, v, a) -> select(run, v, a, true, false)),
          entry("reverse", (run, v, a) -> reverse(v)),
          entry("select", (run, v, a) -> select(run, v, a, false, true)),
          entry("selectattr", (run, v, a) -> select(run, v, a, true, true)),
          entry("slice", (run, v, a) -> slice(v, a)),
          entry("sort", SequenceFilters::sort),
          entry("sum", (run, v, a) -> sum(run, v, a)),
          entry("unique", (run, v, a) -> unique(v, a)));

  private SequenceFilters() {}

  /** What the parameter {@code attribute} picks: a path with dots, where numbers are indexes. */
  private static Function<Value, Value> picked(Value attribute) {
    if (attribute == Values.NONE) {
      return Function.identity();
    } else if (!(attribute instanceof Value.Str path)) {
      return item -> Access.item(item, attribute);
    } else {
      List<Value> steps = new ArrayList<>();
      for (String part : PythonText.split(path.text(), ".", -1)) {
        boolean index = part.matches("\\d{1,9}");
        steps.add(index ? Value.of(Long.parseLong(part)) : Value.of(part));
      }
      return item -> {
        Value value = item;
        for (Value step : steps) {
          value = Access.item(value, step);
        }
        return value;
      };
    }
  }

  private static Value folded(Value value, boolean caseSensitive) {
    return !caseSensitive && value instanceof Value.Str text
        ? Value.of(PythonText.lower(text.text()))
        : value;
  }

  private static Function<Value, Value> key(Args.Bound bound) {
    Function<Value, Value> picked = picked(bound.value("attribute", Values.NONE));
    boolean caseSensitive = bound.truth("case_sensitive");
    return item -> folded(picked.apply(item), caseSensitive);
  }

  private static Value batch(Value value, Args args) {
    Args.Bound bound = args.bind("batch", 1, "linecount", "fill_with");
    long size = bound.integer("linecount", 1);
    List<Value> rows = new ArrayList<>();
    List<Value> row = new ArrayList<>();
    for (Value item : Operators.iterate(value)) {
      if (row.size() == size) {
        rows.add(Value.list(row));
        row = new ArrayList<>();
      }
      row.add(item);
    }
    if (!row.isEmpty()) {
      Value fill = bound.value("fill_with", Values.NONE);
      Limits.items(size);
      while (fill != Values.NONE && row.size() < size) {
        row.add(fill);
      }
      rows.add(Value.list(row));
    }
    return new Value.Generator(rows);
  }

  private static Value slice(Value value, Args args) {
    Args.Bound bound = args.bind("slice", 1, "slices", "fill_with");
    List<Value> items = Operators.iterate(value);
    Value fill = bound.value("fill_with", Values.NONE);
    int slices = (int) Math.min(Limits.ITEMS + 1L, bound.integer("slices", 1));
    Limits.items(slices);
    if (slices < 1) {
      throw new TemplateException("slice: the number of slices must be positive but was " + slices);
    }
    int longer = items.size() % slices;
    List<Value> rows = new ArrayList<>();
    for (int i = 0, from = 0; i < slices; i++) {
      int to = from + items.size() / slices + (i < longer ? 1 : 0);
      List<Value> row = new ArrayList<>(items.subList(from, to));
      if (fill != Values.NONE && i >= longer) {
        row.add(fill);
      }
      rows.add(Value.list(row));
      from = to;
    }
    return new Value.Generator(rows);
  }

  private static Dict dict(String filter, Value value) {
    Operators.refuseUndefined(value);
    if (value instanceof Dict dict) {
      return dict;
    }
    throw new TemplateException(filter + " must be given a mapping but got a " + value.type());
  }

  private static Value dictsort(Value value, Args args) {
    Args.Bound bound = args.bind("dictsort", 0, "case_sensitive", "by", "reverse");
    String by = bound.text("by", "key");
    if (!by.equals("key") && !by.equals("value")) {
      throw new TemplateException("dictsort: by must be 'key' or 'value' but was '" + by + "'");
    }
    int position = by.equals("key") ? 0 : 1;
    boolean caseSensitive = bound.truth("case_sensitive");
    List<Value> pairs = ContainerMethods.pairs(dict("dictsort", value));
    sortBy(
        pairs,
        pair -> folded(Operators.iterate(pair).get(position), caseSensitive),
        bound.truth("reverse"));
    return Value.list(pairs);
  }

  private static Value items(Value value) {
    return new Value.Generator(
        value instanceof Value.Undefined
            ? List.of()
            : ContainerMethods.pairs(dict("items", value)));
  }

  /** Stable; reversed, equal items keep their order too. */
  private static void sortBy(List<Value> items, Function<Value, Value> key, boolean reverse) {
    Comparator<Value> order =
        (a, b) -> {
          Value left = key.apply(a);
          Value right = key.apply(b);
          return left.equals(right) ? 0 : Operators.order("<", left, right);
        };
    try {
      items.sort(reverse ? order.reversed() : order);
    } catch (IllegalArgumentException e) {
      throw new TemplateException("sort needs values with one order but 'nan' has none");
    }
  }

  private static Value sort(Run run, Value value, Args args) {
    Args.Bound bound = args.bind("sort", 0, "reverse", "case_sensitive", "attribute");
    List<Value> items = new ArrayList<>(Operators.iterate(value));
    run.steps(16L * items.size());
    List<String> paths =
        bound.value("attribute", Values.NONE) instanceof Value.Str path
            ? PythonText.split(path.text(), ",", -1)
            : List.of();
    Function<Value, Value> key = key(bound);
    if (paths.size() > 1) {
      List<Function<Value, Value>> keys = new ArrayList<>();
      for (String path : paths) {
        keys.add(picked(Value.of(path)));
      }
      boolean caseSensitive = bound.truth("case_sensitive");
      key =
          item -> Value.list(keys.stream().map(k -> folded(k.apply(item), caseSensitive)).toList());
    }
    sortBy(items, key, bound.truth("reverse"));
    return Value.list(items);
  }

  private static Value first(Value value) {
    Iterator<Value> items = Operators.iterator(value);
    return items.hasNext()
        ? items.next()
        : new Value.Undefined("No first item, sequence was empty.");
  }

  private static Value last(Value value) {
    if (value instanceof Value.Generator) {
      throw new TemplateException(
          "'generator' object is not reversible; use the filter 'list' first");
    }
    List<Value> items = Operators.iterate(value);
    return items.isEmpty()
        ? new Value.Undefined("No last item, sequence was empty.")
        : items.get(items.size() - 1);
  }

  private static Value groupby(Value value, Args args) {
    Args.Bound bound = args.bind("groupby", 1, "attribute", "default", "case_sensitive");
    Function<Value, Value> picked = picked(bound.value("attribute"));
    Value otherwise = bound.value("default", Values.NONE);
    Function<Value, Value> grouper =
        item -> {
          Value found = picked.apply(item);
          Value group =
              found instanceof Value.Undefined && otherwise != Values.NONE ? otherwise : found;
          Operators.refuseUndefined(group);
          return group;
        };
    boolean caseSensitive = bound.truth("case_sensitive");
    Function<Value, Value> key = item -> folded(grouper.apply(item), caseSensitive);
    List<Value> items = new ArrayList<>(Operators.iterate(value));
    sortBy(items, key, false);
    List<Value> groups = new ArrayList<>();
    for (int from = 0; from < items.size(); ) {
      int to = from + 1;
      while (to < items.size() && key.apply(items.get(to)).equals(key.apply(items.get(from)))) {
        to++;
      }
      Value group = Value.list(new ArrayList<>(items.subList(from, to)));
      groups.add(Value.tuple(grouper.apply(items.get(from)), group));
      from = to;
    }
    return Value.list(groups);
  }

  private static Value join(Value value, Args args) {
    Args.Bound bound = args.bind("join", 0, "d", "attribute");
    Function<Value, Value> picked = picked(bound.value("attribute", Values.NONE));
    String between = Repr.text(bound.value("d", Values.EMPTY));
    TextBuffer out = new TextBuffer();
    String separator = "";
    for (Value item : Operators.iterate(value)) {
      out.append(separator).append(Repr.text(picked.apply(item)));
      separator = between;
    }
    return Value.of(out.toString());
  }

  private static Value map(Run run, Value value, Args args) {
    List<Value> mapped = new ArrayList<>();
    if (args.positional().isEmpty() && args.named().containsKey("attribute")) {
      Args.Bound bound = args.bind("map", 0, "attribute", "default");
      Value otherwise = bound.value("default", Values.NONE);
      Function<Value, Value> picked = picked(bound.value("attribute"));
      for (Value item : walked(run, value)) {
        Value found = picked.apply(item);
        boolean missing = found instanceof Value.Undefined && otherwise != Values.NONE;
        mapped.add(missing ? otherwise : found);
      }
    } else if (args.positional().isEmpty()) {
      throw new TemplateException("map needs a filter's name or an attribute but got neither");
    } else {
      String filter = Repr.text(args.positional().get(0));
      for (Value item : walked(run, value)) {
        mapped.add(Filters.apply(run, filter, item, args.from(1)));
      }
    }
    return new Value.Generator(mapped);
  }

  private static List<Value> walked(Run run, Value value) {
    List<Value> items = value.truth() ? Operators.iterate(value) : List.of();
    run.steps(items.size());
    return items;
  }

  private static Value select(Run run, Value value, Args args, boolean byAttribute, boolean keep) {
    if (byAttribute && args.positional().isEmpty()) {
      throw new TemplateException(
          "selectattr and rejectattr need an attribute's name but got none");
    }
    Function<Value, Value> picked =
        byAttribute ? picked(args.positional().get(0)) : Function.identity();
    Args rest = byAttribute ? args.from(1) : args;
    Predicate<Value> test = Value::truth;
    if (!rest.positional().isEmpty()) {
      String name = Repr.text(rest.positional().get(0));
      test = item -> Tests.apply(run, name, item, rest.from(1));
    }
    List<Value> selected = new ArrayList<>();
    for (Value item : walked(run, value)) {
      if (test.test(picked.apply(item)) == keep) {
        selected.add(item);
      }
    }
    return new Value.Generator(selected);
  }

  private static Value reverse(Value value) {
    if (value instanceof Value.Str text) {
      return new Value.Str(PythonText.reverse(text.text()), text.markup());
    }
    List<Value> items = new ArrayList<>(Operators.iterate(value));
    Collections.reverse(items);
    return value instanceof Value.Generator ? Value.list(items) : new Value.Generator(items);
  }

  private static Value extreme(String name, Value value, Args args) {
    Args.Bound bound = args.bind(name, 0, "case_sensitive", "attribute");
    Function<Value, Value> key = key(bound);
    @Nullable Value best = null;
    for (Value item : Operators.iterate(value)) {
      if (best == null) {
        best = item;
        continue;
      }
      int order = Operators.order("<", key.apply(item), key.apply(best));
      best = (name.equals("max") ? order > 0 : order < 0) ? item : best;
    }
    return best == null ? new Value.Undefined("No aggregated item, sequence was empty.") : best;
  }

  private static Value sum(Run run, Value value, Args args) {
    Args.Bound bound = args.bind("sum", 0, "attribute", "start");
    Function<Value, Value> picked = picked(bound.value("attribute", Values.NONE));
    Value sum = bound.value("start", Value.of(0));
    List<Value> items = Operators.iterate(value);
    run.steps(items.size());
    for (Value item : items) {
      sum = run.made(Operators.binary("+", sum, picked.apply(item)));
    }
    return sum;
  }

  private static Value unique(Value value, Args args) {
    Function<Value, Value> key = key(args.bind("unique", 0, "case_sensitive", "attribute"));
    Set<Value> seen = new HashSet<>();
    List<Value> unique = new ArrayList<>();
    for (Value item : Operators.iterate(value)) {
      if (seen.add(Operators.key(key.apply(item)))) {
        unique.add(item);
      }
    }
    return new Value.Generator(unique);
  }
}
