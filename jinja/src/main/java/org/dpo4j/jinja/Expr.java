package org.dpo4j.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** An expression of a template. */
sealed interface Expr {
  /** The value, computed; call {@link #eval} instead, which counts. */
  Value compute(Scope scope);

  default Value eval(Scope scope) {
    scope.run().enter();
    Value value = compute(scope);
    scope.run().leave();
    return value;
  }

  record Literal(Value value) implements Expr {
    @Override
    public Value compute(Scope scope) {
      return value;
    }
  }

  record Name(String name) implements Expr {
    @Override
    public Value compute(Scope scope) {
      return scope.get(name);
    }
  }

  /** The text of the block that a filter works on. */
  record Captured() implements Expr {
    /** No name in a template can contain a space. */
    static final String NAME = "captured text";

    @Override
    public Value compute(Scope scope) {
      return scope.get(NAME);
    }
  }

  record Sequence(Seq.Kind kind, List<Expr> items) implements Expr {
    @Override
    public Value compute(Scope scope) {
      List<Value> values = new ArrayList<>(items.size());
      for (Expr item : items) {
        values.add(item.eval(scope));
      }
      return scope.run().made(new Seq(kind, values));
    }
  }

  record Entry(Expr key, Expr value) {}

  record Mapping(List<Entry> entries) implements Expr {
    @Override
    public Value compute(Scope scope) {
      Map<Value, Value> values = new LinkedHashMap<>();
      for (Entry entry : entries) {
        Value key = Operators.key(entry.key().eval(scope));
        values.put(key, entry.value().eval(scope));
      }
      return scope.run().made(new Dict(values));
    }
  }

  record Attribute(Expr object, String name) implements Expr {
    @Override
    public Value compute(Scope scope) {
      return Access.attribute(object.eval(scope), name);
    }
  }

  record Subscript(Expr object, Expr key) implements Expr {
    @Override
    public Value compute(Scope scope) {
      Value value = object.eval(scope);
      if (value instanceof Value.Str) {
        scope.run().read(value);
      }
      return Access.item(value, key.eval(scope));
    }
  }

  record Slice(Expr object, @Nullable Expr start, @Nullable Expr stop, @Nullable Expr step)
      implements Expr {
    @Override
    public Value compute(Scope scope) {
      Value value = object.eval(scope);
      scope.run().read(value);
      Value slice = Access.slice(value, eval(start, scope), eval(stop, scope), eval(step, scope));
      return scope.run().made(slice);
    }

    private static Value eval(@Nullable Expr part, Scope scope) {
      return part == null ? Values.NONE : part.eval(scope);
    }
  }

  record Named(String name, Expr value) {}

  /** What stands between a call's parentheses; {@code list} and {@code map} follow stars. */
  record Arguments(
      List<Expr> positional, List<Named> named, @Nullable Expr list, @Nullable Expr map) {
    static final Arguments NONE = new Arguments(List.of(), List.of(), null, null);

    static Arguments of(Expr one) {
      return new Arguments(List.of(one), List.of(), null, null);
    }

    Args eval(Scope scope) {
      List<Value> values = new ArrayList<>();
      for (Expr expr : positional) {
        values.add(expr.eval(scope));
      }
      Map<String, Value> byName = new LinkedHashMap<>();
      for (Named argument : named) {
        put(byName, argument.name(), argument.value().eval(scope));
      }
      if (list != null) {
        values.addAll(Operators.iterate(list.eval(scope)));
      }
      if (map != null) {
        if (!(map.eval(scope) instanceof Dict dict)) {
          throw new TemplateException("the argument after ** must be a mapping but is not");
        }
        dict.entries.forEach((key, value) -> put(byName, Repr.text(key), value));
      }
      return new Args(values, byName);
    }

    private static void put(Map<String, Value> byName, String name, Value value) {
      if (byName.put(name, value) != null) {
        throw new TemplateException(
            "a call got two values for the keyword argument '" + name + "'");
      }
    }
  }

  record Call(Expr callee, Arguments arguments) implements Expr {
    @Override
    public Value compute(Scope scope) {
      Value function = callee.eval(scope);
      return Operators.call(scope.run(), function, arguments.eval(scope));
    }

    /** The call with one more argument, {@code caller}. */
    Value withCaller(Scope scope, Value caller) {
      Value function = callee.eval(scope);
      Args args = arguments.eval(scope);
      Map<String, Value> named = new LinkedHashMap<>(args.named());
      named.put("caller", caller);
      return Operators.call(scope.run(), function, new Args(args.positional(), named));
    }
  }

  record Filtered(Expr input, String filter, Arguments arguments) implements Expr {
    @Override
    public Value compute(Scope scope) {
      Value value = input.eval(scope);
      return Filters.apply(scope.run(), filter, value, arguments.eval(scope));
    }
  }

  record Test(Expr input, String test, Arguments arguments) implements Expr {
    @Override
    public Value compute(Scope scope) {
      Value value = input.eval(scope);
      return Value.of(Tests.apply(scope.run(), test, value, arguments.eval(scope)));
    }
  }

  record Not(Expr operand) implements Expr {
    @Override
    public Value compute(Scope scope) {
      return Value.of(!operand.eval(scope).truth());
    }
  }

  record And(Expr left, Expr right) implements Expr {
    @Override
    public Value compute(Scope scope) {
      Value value = left.eval(scope);
      return value.truth() ? right.eval(scope) : value;
    }
  }

  record Or(Expr left, Expr right) implements Expr {
    @Override
    public Value compute(Scope scope) {
      Value value = left.eval(scope);
      return value.truth() ? value : right.eval(scope);
    }
  }

  record Conditional(Expr test, Expr value, Expr otherwise) implements Expr {
    @Override
    public Value compute(Scope scope) {
      return test.eval(scope).truth() ? value.eval(scope) : otherwise.eval(scope);
    }
  }

  record Comparison(String operator, Expr right) {}

  record Compare(Expr first, List<Comparison> rest) implements Expr {
    @Override
    public Value compute(Scope scope) {
      Value left = first.eval(scope);
      for (Comparison comparison : rest) {
        Value right = comparison.right().eval(scope);
        if (!Operators.compare(scope.run(), comparison.operator(), left, right)) {
          return Values.FALSE;
        }
        left = right;
      }
      return Values.TRUE;
    }
  }

  record Binary(String operator, Expr left, Expr right) implements Expr {
    @Override
    public Value compute(Scope scope) {
      Value value = left.eval(scope);
      return scope.run().made(Operators.binary(operator, value, right.eval(scope)));
    }
  }

  record Signed(boolean negative, Expr operand) implements Expr {
    @Override
    public Value compute(Scope scope) {
      return Operators.signed(negative, operand.eval(scope));
    }
  }

  record Concatenation(List<Expr> parts) implements Expr {
    @Override
    public Value compute(Scope scope) {
      TextBuffer text = new TextBuffer();
      for (Expr part : parts) {
        text.append(Repr.text(part.eval(scope)));
      }
      return scope.run().made(Value.of(text.toString()));
    }
  }
}
