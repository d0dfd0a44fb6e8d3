package org.dpo4j.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Everything a template can hold, with Python's notions of truth and equality. The family is
 * closed: no Java object but these is within a template's reach.
 */
sealed interface Value
    permits Value.Undefined,
        Value.NoneValue,
        Value.Num,
        Value.Str,
        Seq,
        Dict,
        Value.Generator,
        Value.Namespace,
        Value.Function,
        Value.LoopVariable {
  /** Python's name of the type. */
  String type();

  /** What {@code if} makes of it. */
  boolean truth();

  /** Characters and elements in the value and all it holds, shared parts counted each time. */
  default long weight() {
    return 1;
  }

  /** Levels of containers in it. */
  default int depth() {
    return 0;
  }

  /** Roughly the bytes that this value itself takes, what it holds not counted. */
  default long size() {
    return 16;
  }

  static Value of(boolean value) {
    return value ? Values.TRUE : Values.FALSE;
  }

  static Int of(long value) {
    return new Int(value);
  }

  static Str of(String text) {
    return text.isEmpty() ? Values.EMPTY : new Str(text, false);
  }

  static Seq list(List<Value> items) {
    return new Seq(Seq.Kind.LIST, items);
  }

  static Seq tuple(Value... items) {
    return new Seq(Seq.Kind.TUPLE, List.of(items));
  }

  /**
   * The template's view of plain data.
   *
   * @param data a String, Boolean, Number, List, Map or null; anything else is refused
   */
  static Value of(@Nullable Object data) {
    return of(data, 0);
  }

  private static Value of(@Nullable Object data, int depth) {
    Limits.check("data", depth, Limits.VALUE_DEPTH, "levels");
    if (data == null) {
      return Values.NONE;
    } else if (data instanceof String text) {
      return of(text);
    } else if (data instanceof Boolean flag) {
      return of(flag.booleanValue());
    } else if (data instanceof Integer || data instanceof Long || data instanceof Short) {
      return of(((Number) data).longValue());
    } else if (data instanceof Number number) {
      return new Real(number.doubleValue());
    } else if (data instanceof List<?> list) {
      List<Value> items = new ArrayList<>(list.size());
      for (Object item : list) {
        items.add(of(item, depth + 1));
      }
      return list(items);
    } else if (data instanceof Map<?, ?> map) {
      Map<Value, Value> entries = new LinkedHashMap<>();
      map.forEach((key, value) -> entries.put(of(key, depth + 1), of(value, depth + 1)));
      return new Dict(entries);
    }
    throw new TemplateException(
        "a variable must be text, a number, true, false, null, a list or a map but was a "
            + data.getClass().getSimpleName());
  }

  /** Nothing there; prints as nothing, and most uses of it fail with {@code hint}. */
  record Undefined(String hint) implements Value {
    @Override
    public String type() {
      return "Undefined";
    }

    @Override
    public boolean truth() {
      return false;
    }

    @Override
    public boolean equals(@Nullable Object other) {
      return other instanceof Undefined;
    }

    @Override
    public int hashCode() {
      return 0;
    }

    TemplateException fault() {
      return new TemplateException(hint);
    }
  }

  record NoneValue() implements Value {
    @Override
    public String type() {
      return "NoneType";
    }

    @Override
    public boolean truth() {
      return false;
    }
  }

  /** A bool, int or float: equal when their numbers are, as in Python. */
  sealed interface Num extends Value {
    double real();

    default boolean same(@Nullable Object other) {
      if (this instanceof Int a && other instanceof Int b) {
        return a.number == b.number;
      }
      return other instanceof Num number && number.real() == real();
    }
  }

  record Bool(boolean flag) implements Num {
    @Override
    public String type() {
      return "bool";
    }

    @Override
    public boolean truth() {
      return flag;
    }

    @Override
    public double real() {
      return flag ? 1 : 0;
    }

    @Override
    public boolean equals(@Nullable Object other) {
      return same(other);
    }

    @Override
    public int hashCode() {
      return Double.hashCode(real());
    }
  }

  record Int(long number) implements Num {
    @Override
    public String type() {
      return "int";
    }

    @Override
    public boolean truth() {
      return number != 0;
    }

    @Override
    public double real() {
      return number;
    }

    @Override
    public boolean equals(@Nullable Object other) {
      return same(other);
    }

    @Override
    public int hashCode() {
      return Double.hashCode(real());
    }
  }

  record Real(double real) implements Num {
    @Override
    public String type() {
      return "float";
    }

    @Override
    public boolean truth() {
      return real != 0;
    }

    @Override
    public boolean equals(@Nullable Object other) {
      return same(other);
    }

    @Override
    public int hashCode() {
      return Double.hashCode(real + 0.0);
    }
  }

  /**
   * A text, counted in code points as Python does.
   *
   * @param markup whether the {@code safe} filter marked it, so that adding plain text to it
   *     escapes the plain text
   */
  record Str(String text, boolean markup) implements Value {
    public Str {
      Limits.text(text.length());
    }

    @Override
    public String type() {
      return markup ? "Markup" : "str";
    }

    @Override
    public boolean truth() {
      return !text.isEmpty();
    }

    @Override
    public long weight() {
      return 1L + text.length();
    }

    @Override
    public long size() {
      return 16L + text.length();
    }

    @Override
    public boolean equals(@Nullable Object other) {
      return other instanceof Str string && string.text.equals(text);
    }

    @Override
    public int hashCode() {
      return text.hashCode();
    }
  }

  /** What {@code map} and its kin give: true even when empty, walked over once, without length. */
  final class Generator implements Value {
    private final List<Value> items;
    private final Iterator<Value> rest;

    Generator(List<Value> items) {
      Limits.items(items.size());
      Limits.check("value", Seq.weightOf(items), Limits.WEIGHT, "characters and elements");
      this.items = items;
      this.rest = items.iterator();
    }

    Iterator<Value> rest() {
      return rest;
    }

    @Override
    public String type() {
      return "generator";
    }

    @Override
    public boolean truth() {
      return true;
    }

    @Override
    public long size() {
      return 48 + 48L * items.size();
    }
  }

  /** The one thing whose attributes {@code set} can change. */
  final class Namespace implements Value {
    final Map<String, Value> attributes = new LinkedHashMap<>();

    @Override
    public String type() {
      return "Namespace";
    }

    @Override
    public boolean truth() {
      return true;
    }

    void set(String name, Value value) {
      if (name.startsWith("_")) {
        throw new TemplateException(
            "a namespace attribute must not start with an underscore but was '" + name + "'");
      }
      Limits.items(attributes.size() + 1L);
      attributes.put(name, value);
    }
  }

  /** Something to call: a macro, a method of a value, a function that Jinja or the host gives. */
  record Function(String name, Body body) implements Value {
    interface Body {
      Value call(Run run, Args args);
    }

    @Override
    public String type() {
      return "function";
    }

    @Override
    public boolean truth() {
      return true;
    }
  }

  /** The variable {@code loop}. */
  non-sealed interface LoopVariable extends Value {
    @Override
    default String type() {
      return "LoopContext";
    }

    @Override
    default boolean truth() {
      return true;
    }

    int length();

    /** The named attribute, or null where there is none. */
    @Nullable Value attribute(String name);

    Value recurse(Run run, Args args);
  }
}
