package org.dpo4j.jinja;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * {@code value.name}, {@code value[key]} and slices. A dict's methods come before its keys with the
 * dot and after them with brackets, as in Jinja.
 */
final class Access {
  private Access() {}

  static Value attribute(Value object, String name) {
    Operators.refuseUndefined(object);
    Value found = named(object, name);
    if (found == null && object instanceof Dict dict) {
      found = dict.entries.get(Value.of(name));
    }
    return found == null ? missing(object, Value.of(name)) : found;
  }

  static Value item(Value object, Value key) {
    Operators.refuseUndefined(object);
    Value found = null;
    if (object instanceof Dict dict) {
      boolean hashable = !(key instanceof Seq || key instanceof Dict);
      boolean tuple = key instanceof Seq seq && seq.kind == Seq.Kind.TUPLE;
      found = hashable || tuple ? dict.entries.get(Operators.key(key)) : null;
    } else if (Operators.isInteger(key)) {
      found = at(object, Operators.integer(key));
    }
    if (found == null && key instanceof Value.Str name) {
      found = named(object, name.text());
    }
    return found == null ? missing(object, key) : found;
  }

  /** What Python's getattr would find: never a key, never a name with leading underscores. */
  static @Nullable Value named(Value object, String name) {
    if (name.startsWith("__")) {
      return unsafe(object, name);
    } else if (object instanceof Value.Str text) {
      return StringMethods.find(text, name);
    } else if (object instanceof Value.Namespace namespace) {
      return namespace.attributes.get(name);
    } else if (object instanceof Value.LoopVariable loop) {
      return loop.attribute(name);
    }
    return ContainerMethods.find(object, name);
  }

  static Value unsafe(Value object, String name) {
    return new Value.Undefined(
        "access to attribute '" + name + "' of '" + object.type() + "' object is unsafe.");
  }

  private static Value missing(Value object, Value key) {
    String type = object == Values.NONE ? "None" : object.type() + " object";
    return new Value.Undefined(
        key instanceof Value.Str
            ? "'" + type + "' has no attribute " + Repr.of(key)
            : type + " has no element " + Repr.of(key));
  }

  private static @Nullable Value at(Value object, long index) {
    if (object instanceof Value.Str text) {
      int length = PythonText.length(text.text());
      long from = index < 0 ? index + length : index;
      return from < 0 || from >= length
          ? null
          : new Value.Str(PythonText.at(text.text(), (int) from), text.markup());
    } else if (object instanceof Seq seq && seq.kind.hasIndexes()) {
      int length = seq.items.size();
      long from = index < 0 ? index + length : index;
      return from < 0 || from >= length ? null : seq.items.get((int) from);
    }
    return null;
  }

  /** Python's slice; a bound that is none is left out. */
  static Value slice(Value object, Value start, Value stop, Value step) {
    Operators.refuseUndefined(object);
    long by = step == Values.NONE ? 1 : Operators.integer(step);
    if (by == 0) {
      throw new TemplateException("slice step must not be zero but was");
    } else if (object instanceof Value.Str text) {
      int[] points = text.text().codePoints().toArray();
      StringBuilder picked = new StringBuilder();
      for (int index : indexes(points.length, start, stop, by)) {
        picked.appendCodePoint(points[index]);
      }
      return new Value.Str(picked.toString(), text.markup());
    } else if (object instanceof Seq seq && seq.kind.hasIndexes()) {
      List<Value> picked = new ArrayList<>();
      for (int index : indexes(seq.items.size(), start, stop, by)) {
        picked.add(seq.items.get(index));
      }
      return new Seq(seq.kind, picked);
    }
    throw new TemplateException("'" + object.type() + "' object is not subscriptable");
  }

  private static int[] indexes(int length, Value start, Value stop, long step) {
    boolean down = step < 0;
    long from = bound(start, length, down, down ? length - 1L : 0);
    long to = bound(stop, length, down, down ? -1 : length);
    long count = down ? (from - to - step - 1) / -step : (to - from + step - 1) / step;
    if (Math.abs(step) > length) {
      count = (down ? from > to : from < to) ? 1 : 0;
    }
    int[] indexes = new int[(int) Math.max(0, count)];
    for (int i = 0; i < indexes.length; i++) {
      indexes[i] = (int) (from + i * step);
    }
    return indexes;
  }

  private static long bound(Value bound, int length, boolean down, long otherwise) {
    if (bound == Values.NONE) {
      return otherwise;
    }
    long index = Operators.integer(bound);
    long fromEnd = index < 0 ? index + length : index;
    return down
        ? Math.max(-1, Math.min(fromEnd, length - 1L))
        : Math.max(0, Math.min(fromEnd, length));
  }
}
