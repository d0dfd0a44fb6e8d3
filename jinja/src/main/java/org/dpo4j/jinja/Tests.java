package org.dpo4j.jinja;

import static java.util.Map.entry;

import java.util.Map;
import java.util.function.Predicate;

/** What may follow {@code is}. */
final class Tests {
  private interface Test {
    boolean holds(Run run, Value value, Args args);
  }

  private static final Map<String, Test> TESTS =
      Map.ofEntries(
          entry("boolean", plain(v -> v instanceof Value.Bool)),
          entry("callable", plain(Tests::isCallable)),
          entry("defined", plain(v -> !(v instanceof Value.Undefined))),
          entry("divisibleby", (run, v, a) -> remainder(v, argument(a)) == 0),
          entry("escaped", plain(v -> v instanceof Value.Str text && text.markup())),
          entry("even", plain(v -> remainder(v, Value.of(2)) == 0)),
          entry("false", plain(v -> v instanceof Value.Bool && !v.truth())),
          entry("filter", plain(v -> Filters.exists(Repr.text(v)))),
          entry("float", plain(v -> v instanceof Value.Real)),
          entry("integer", plain(v -> v instanceof Value.Int)),
          entry("iterable", plain(Operators::isIterable)),
          entry("lower", plain(v -> StringMethods.isCase(Repr.text(v), Character::isLowerCase))),
          entry("mapping", plain(v -> v instanceof Dict)),
          entry("none", plain(v -> v == Values.NONE)),
          entry("number", plain(v -> v instanceof Value.Num)),
          entry("odd", plain(v -> remainder(v, Value.of(2)) == 1)),
          entry("sameas", (run, v, a) -> same(v, argument(a))),
          entry("sequence", plain(Tests::isSequence)),
          entry("string", plain(v -> v instanceof Value.Str)),
          entry("test", plain(v -> Tests.exists(Repr.text(v)))),
          entry("true", plain(v -> v instanceof Value.Bool && v.truth())),
          entry("undefined", plain(v -> v instanceof Value.Undefined)),
          entry("upper", plain(v -> StringMethods.isCase(Repr.text(v), Character::isUpperCase))),
          entry("in", compared("in")),
          entry("==", compared("==")),
          entry("eq", compared("==")),
          entry("equalto", compared("==")),
          entry("!=", compared("!=")),
          entry("ne", compared("!=")),
          entry(">", compared(">")),
          entry("gt", compared(">")),
          entry("greaterthan", compared(">")),
          entry(">=", compared(">=")),
          entry("ge", compared(">=")),
          entry("<", compared("<")),
          entry("lt", compared("<")),
          entry("lessthan", compared("<")),
          entry("<=", compared("<=")),
          entry("le", compared("<=")));

  private Tests() {}

  private static boolean exists(String name) {
    return TESTS.containsKey(name);
  }

  static boolean apply(Run run, String name, Value value, Args args) {
    Test test = TESTS.get(name);
    if (test == null) {
      throw new TemplateException("there is no test named '" + name + "'");
    }
    return test.holds(run, value, args);
  }

  private static Test plain(Predicate<Value> predicate) {
    return (run, value, args) -> {
      args.bind("test", 0);
      return predicate.test(value);
    };
  }

  private static Test compared(String operator) {
    return (run, value, args) -> Operators.compare(run, operator, value, argument(args));
  }

  private static Value argument(Args args) {
    return args.bind("test", 1, "other").value("other");
  }

  private static double remainder(Value value, Value divisor) {
    Value rest = Operators.binary("%", value, divisor);
    return rest instanceof Value.Num number ? number.real() : Double.NaN;
  }

  private static boolean isCallable(Value value) {
    return value instanceof Value.Function
        || value instanceof Value.LoopVariable
        || value instanceof Value.Undefined;
  }

  private static boolean isSequence(Value value) {
    return value instanceof Value.Str
        || value instanceof Dict
        || value instanceof Value.Undefined
        || (value instanceof Seq seq && seq.kind.hasIndexes());
  }

  /** Python's {@code is}, as far as values without identity have it. */
  @SuppressWarnings("ReferenceEquality")
  private static boolean same(Value left, Value right) {
    boolean container = left instanceof Seq || left instanceof Dict;
    return container ? left == right : left.type().equals(right.type()) && left.equals(right);
  }
}
