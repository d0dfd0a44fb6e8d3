package org.dpo4j.jinja;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;

/** Python's operators, calls and iteration on {@link Value}. */
final class Operators {
  private Operators() {}

  static Value binary(String operator, Value left, Value right) {
    refuseUndefined(left);
    if (operator.equals("%") && left instanceof Value.Str format) {
      return Formatting.percent(format, right);
    }
    refuseUndefined(right);
    if (left instanceof Value.Num a && right instanceof Value.Num b) {
      return Arithmetic.binary(operator, a, b);
    } else if (operator.equals("+")) {
      return add(left, right);
    } else if (operator.equals("*") && isInteger(right)) {
      return times(left, integer(right));
    } else if (operator.equals("*") && isInteger(left)) {
      return times(right, integer(left));
    }
    throw unsupported(operator, left, right);
  }

  private static Value add(Value left, Value right) {
    if (left instanceof Value.Str a && right instanceof Value.Str b) {
      Limits.text((long) a.text().length() + b.text().length());
      boolean markup = a.markup() || b.markup();
      return new Value.Str(part(a, markup) + part(b, markup), markup);
    } else if (left instanceof Seq a
        && right instanceof Seq b
        && a.kind == b.kind
        && (a.kind == Seq.Kind.LIST || a.kind == Seq.Kind.TUPLE)) {
      Limits.items((long) a.items.size() + b.items.size());
      List<Value> items = new ArrayList<>(a.items);
      items.addAll(b.items);
      return new Seq(a.kind, items);
    } else if (left instanceof Value.Str) {
      throw new TemplateException(
          "can only concatenate str (not \""
              + right.type()
              + "\") to str; the filter 'string'"
              + " makes a string of a value");
    }
    throw unsupported("+", left, right);
  }

  private static String part(Value.Str text, boolean intoMarkup) {
    return intoMarkup && !text.markup() ? PythonText.escapeHtml(text.text()) : text.text();
  }

  private static Value times(Value value, long times) {
    long count = Math.max(0, Math.min(times, 1L << 40));
    if (value instanceof Value.Str text) {
      Limits.text(text.text().length() * Math.min(count, Limits.TEXT + 1L));
      return new Value.Str(
          text.text().isEmpty() ? "" : text.text().repeat((int) count), text.markup());
    } else if (value instanceof Seq seq && seq.kind.hasIndexes()) {
      Limits.items(seq.items.size() * Math.min(count, Limits.ITEMS + 1L));
      List<Value> items = new ArrayList<>();
      for (long i = 0; i < count && !seq.items.isEmpty(); i++) {
        items.addAll(seq.items);
      }
      return new Seq(seq.kind, items);
    }
    throw unsupported("*", value, Value.of(times));
  }

  private static TemplateException unsupported(String operator, Value left, Value right) {
    return new TemplateException(
        "unsupported operand type(s) for "
            + operator
            + ": '"
            + left.type()
            + "' and '"
            + right.type()
            + "'");
  }

  static Value signed(boolean negative, Value operand) {
    refuseUndefined(operand);
    if (operand instanceof Value.Real real) {
      return new Value.Real(negative ? -real.real() : real.real());
    } else if (operand instanceof Value.Num number) {
      return Arithmetic.binary(negative ? "-" : "+", Value.of(0), number);
    }
    throw new TemplateException("bad operand type for unary sign: '" + operand.type() + "'");
  }

  static boolean compare(Run run, String operator, Value left, Value right) {
    run.steps(Math.min(left.weight(), right.weight()) / 64);
    return switch (operator) {
      case "==" -> left.equals(right);
      case "!=" -> !left.equals(right);
      case "in" -> contains(run, right, left);
      case "not in" -> !contains(run, right, left);
      default -> ordered(operator, left, right);
    };
  }

  private static boolean ordered(String operator, Value left, Value right) {
    int order = order(operator, left, right);
    boolean number = !isNan(left) && !isNan(right);
    return number
        && switch (operator) {
          case "<" -> order < 0;
          case "<=" -> order <= 0;
          case ">" -> order > 0;
          default -> order >= 0;
        };
  }

  private static boolean isNan(Value value) {
    return value instanceof Value.Real real && Double.isNaN(real.real());
  }

  /** Negative, zero or positive, for values that Python can order. */
  static int order(String operator, Value left, Value right) {
    refuseUndefined(left);
    refuseUndefined(right);
    if (left instanceof Value.Int a && right instanceof Value.Int b) {
      return Long.compare(a.number(), b.number());
    } else if (left instanceof Value.Num a && right instanceof Value.Num b) {
      return Double.compare(a.real() + 0.0, b.real() + 0.0);
    } else if (left instanceof Value.Str a && right instanceof Value.Str b) {
      return PythonText.compare(a.text(), b.text());
    } else if (left instanceof Seq a && right instanceof Seq b && a.kind == b.kind) {
      for (int i = 0; i < Math.min(a.items.size(), b.items.size()); i++) {
        if (!a.items.get(i).equals(b.items.get(i))) {
          return order(operator, a.items.get(i), b.items.get(i));
        }
      }
      return Integer.compare(a.items.size(), b.items.size());
    }
    throw new TemplateException(
        "'"
            + operator
            + "' not supported between instances of '"
            + left.type()
            + "' and '"
            + right.type()
            + "'");
  }

  static boolean contains(Run run, Value container, Value item) {
    run.read(container);
    if (container instanceof Value.Str text) {
      if (item instanceof Value.Str part) {
        return text.text().contains(part.text());
      }
      refuseUndefined(item);
      throw new TemplateException(
          "'in <string>' requires string as left operand, not " + item.type());
    } else if (container instanceof Dict dict) {
      return dict.entries.containsKey(key(item));
    }
    long reads = Math.min(container.weight(), container.size() * item.weight());
    run.steps(reads / 64);
    for (Iterator<Value> items = iterator(container); items.hasNext(); ) {
      if (items.next().equals(item)) {
        return true;
      }
    }
    return false;
  }

  /** The value itself, if it can be a dict's key. */
  static Value key(Value value) {
    boolean tuple = value instanceof Seq seq && seq.kind == Seq.Kind.TUPLE;
    if (tuple) {
      Limits.check("key", value.weight(), Limits.KEY_WEIGHT, "characters and elements");
      ((Seq) value).items.forEach(Operators::key);
    } else if (value instanceof Seq || value instanceof Dict) {
      throw new TemplateException("unhashable type: '" + value.type() + "'");
    }
    return value;
  }

  static Iterator<Value> iterator(Value value) {
    if (value instanceof Seq seq) {
      return seq.items.iterator();
    } else if (value instanceof Dict dict) {
      return dict.entries.keySet().iterator();
    } else if (value instanceof Value.Generator generator) {
      return generator.rest();
    } else if (value instanceof Value.Str text) {
      return PythonText.characters(text.text()).iterator();
    } else if (value instanceof Value.Undefined) {
      return Collections.emptyIterator();
    }
    throw new TemplateException("'" + value.type() + "' object is not iterable");
  }

  static boolean isIterable(Value value) {
    return value instanceof Seq
        || value instanceof Dict
        || value instanceof Value.Generator
        || value instanceof Value.Str
        || value instanceof Value.Undefined
        || value instanceof Value.LoopVariable;
  }

  static List<Value> iterate(Value value) {
    if (value instanceof Seq seq) {
      return seq.items;
    }
    List<Value> items = new ArrayList<>();
    iterator(value).forEachRemaining(items::add);
    return items;
  }

  static int length(Value value) {
    if (value instanceof Value.Str text) {
      return PythonText.length(text.text());
    } else if (value instanceof Seq seq) {
      return seq.items.size();
    } else if (value instanceof Dict dict) {
      return dict.entries.size();
    } else if (value instanceof Value.LoopVariable loop) {
      return loop.length();
    } else if (value instanceof Value.Undefined) {
      return 0;
    }
    throw new TemplateException("object of type '" + value.type() + "' has no len()");
  }

  static Value call(Run run, Value callee, Args args) {
    refuseUndefined(callee);
    if (callee instanceof Value.Function function) {
      return run.made(function.body().call(run, args));
    } else if (callee instanceof Value.LoopVariable loop) {
      return loop.recurse(run, args);
    }
    throw new TemplateException("'" + callee.type() + "' object is not callable");
  }

  static boolean isInteger(Value value) {
    return value instanceof Value.Int || value instanceof Value.Bool;
  }

  /** The number of an int or a bool. */
  static long integer(Value value) {
    refuseUndefined(value);
    if (value instanceof Value.Int number) {
      return number.number();
    } else if (value instanceof Value.Bool flag) {
      return flag.flag() ? 1 : 0;
    }
    throw new TemplateException(
        "an integer is needed here but the value is of type " + value.type());
  }

  static void refuseUndefined(Value value) {
    if (value instanceof Value.Undefined undefined) {
      throw undefined.fault();
    }
  }
}
