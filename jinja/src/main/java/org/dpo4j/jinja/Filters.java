package org.dpo4j.jinja;

import static java.util.Map.entry;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** Jinja's filters. Those on sequences are in {@link SequenceFilters}. */
final class Filters {
  interface Filter {
    Value apply(Run run, Value input, Args args);
  }

  private static final Pattern FLOAT =
      Pattern.compile(
          "[+-]?+(?:(?:\\d++\\.?+\\d*+|\\.\\d++)(?:[eE][+-]?+\\d++)?+|(?i:infinity|inf|nan))");

  /** Digits of a text that is a number, as Python has it for ints. */
  private static final int DIGITS = 4300;

  private static final Pattern WORD = Pattern.compile("\\w+", Pattern.UNICODE_CHARACTER_CLASS);
  private static final Pattern TITLE_BREAK = Pattern.compile("(?<=[-\\s({\\[<])(?=[^-\\s({\\[<])");

  private static final Map<String, Filter> OWN =
      Map.ofEntries(
          entry("abs", (run, v, a) -> absolute(v)),
          entry("attr", (run, v, a) -> attribute(v, a)),
          entry("capitalize", text(PythonText::capitalize)),
          entry(
              "center",
              (run, v, a) -> method("center", run, v, a.positional().isEmpty() ? width(a) : a)),
          entry("d", (run, v, a) -> otherwise(v, a)),
          entry("default", (run, v, a) -> otherwise(v, a)),
          entry("e", (run, v, a) -> escape(v)),
          entry("escape", (run, v, a) -> escape(v)),
          entry("forceescape", (run, v, a) -> escape(Value.of(Repr.text(v)))),
          entry("float", (run, v, a) -> real(v, a)),
          entry("format", (run, v, a) -> format(v, a)),
          entry("indent", (run, v, a) -> indent(v, a)),
          entry("int", (run, v, a) -> integer(v, a)),
          entry("lower", text(PythonText::lower)),
          entry("replace", (run, v, a) -> replace(v, a)),
          entry("round", (run, v, a) -> round(v, a)),
          entry("safe", (run, v, a) -> new Value.Str(Repr.text(v), true)),
          entry("string", (run, v, a) -> v instanceof Value.Str ? v : Value.of(Repr.text(v))),
          entry("title", text(Filters::title)),
          entry("tojson", (run, v, a) -> Json.filter(v, a)),
          entry("trim", (run, v, a) -> method("strip", run, soft(v), a)),
          entry("truncate", (run, v, a) -> truncate(v, a)),
          entry("upper", text(PythonText::upper)),
          entry(
              "wordcount", (run, v, a) -> Value.of(WORD.matcher(Repr.text(v)).results().count())));

  private Filters() {}

  static boolean exists(String name) {
    return OWN.containsKey(name) || SequenceFilters.ALL.containsKey(name);
  }

  static Value apply(Run run, String name, Value input, Args args) {
    Filter filter = OWN.getOrDefault(name, SequenceFilters.ALL.get(name));
    if (filter == null) {
      throw new TemplateException("there is no filter named '" + name + "'");
    }
    run.read(input);
    return run.made(filter.apply(run, input, args));
  }

  private static Filter text(java.util.function.UnaryOperator<String> change) {
    return (run, value, args) -> {
      args.bind("filter", 0);
      boolean markup = value instanceof Value.Str text && text.markup();
      return new Value.Str(change.apply(Repr.text(value)), markup);
    };
  }

  private static Value.Str soft(Value value) {
    return value instanceof Value.Str text ? text : Value.of(Repr.text(value));
  }

  private static Value method(String name, Run run, Value value, Args args) {
    return Operators.call(run, Access.attribute(soft(value), name), args);
  }

  private static Args width(Args args) {
    return Args.of(args.bind("center", 0, "width").value("width", Value.of(80)));
  }

  private static Value absolute(Value value) {
    Operators.refuseUndefined(value);
    if (!(value instanceof Value.Num number)) {
      throw new TemplateException("bad operand type for abs(): '" + value.type() + "'");
    } else if (number.real() < 0) {
      return Operators.signed(true, number);
    }
    return Operators.signed(false, number);
  }

  private static Value attribute(Value value, Args args) {
    String name = args.bind("attr", 1, "name").text("name", "");
    Value found = Access.named(value, name);
    return found == null
        ? new Value.Undefined("'" + value.type() + " object' has no attribute '" + name + "'")
        : found;
  }

  private static Value otherwise(Value value, Args args) {
    Args.Bound bound = args.bind("default", 0, "default_value", "boolean");
    boolean missing =
        value instanceof Value.Undefined || (bound.truth("boolean") && !value.truth());
    return missing ? bound.value("default_value", Values.EMPTY) : value;
  }

  static Value escape(Value value) {
    return value instanceof Value.Str text && text.markup()
        ? value
        : new Value.Str(PythonText.escapeHtml(Repr.text(value)), true);
  }

  private static Value real(Value value, Args args) {
    Value otherwise = args.bind("float", 0, "default").value("default", new Value.Real(0));
    Operators.refuseUndefined(value);
    if (value instanceof Value.Num number) {
      return new Value.Real(number.real());
    }
    Double parsed = value instanceof Value.Str text ? parse(text.text()) : null;
    return parsed == null ? otherwise : new Value.Real(parsed);
  }

  private static @org.jspecify.annotations.Nullable Double parse(String written) {
    String number = PythonText.strip(written, null, true, true);
    if (number.length() > DIGITS) {
      return null;
    }
    if (number.matches(".*\\d_\\d.*")) {
      number = number.replaceAll("(?<=\\d)_(?=\\d)", "");
    }
    if (!FLOAT.matcher(number).matches()) {
      return null;
    }
    String lower = PythonText.lower(number);
    if (lower.endsWith("nan")) {
      return Double.NaN;
    } else if (lower.contains("inf")) {
      return lower.startsWith("-") ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY;
    }
    return Double.parseDouble(number);
  }

  private static Value integer(Value value, Args args) {
    Args.Bound bound = args.bind("int", 0, "default", "base");
    Operators.refuseUndefined(value);
    Double real = null;
    if (Operators.isInteger(value)) {
      return Value.of(Operators.integer(value));
    } else if (value instanceof Value.Str text && text.text().length() <= DIGITS) {
      String number = PythonText.strip(text.text(), null, true, true);
      try {
        return Value.of(
            wholeNumber(
                number.replaceAll("(?<=\\w)_(?=\\w)", ""), (int) bound.integer("base", 10)));
      } catch (NumberFormatException e) {
        real = parse(number);
      }
    } else if (value instanceof Value.Real number) {
      real = number.real();
    }
    if (real == null || !Double.isFinite(real)) {
      return bound.value("default", Value.of(0));
    } else if (Math.abs(real) >= 0x1p63) {
      throw new TemplateException("an integer must fit into 64 bits but was " + Repr.real(real));
    }
    return Value.of(real.longValue());
  }

  private static long wholeNumber(String digits, int base) {
    boolean prefixed =
        (base == 16 && digits.matches("[+-]?0[xX].*"))
            || (base == 8 && digits.matches("[+-]?0[oO].*"))
            || (base == 2 && digits.matches("[+-]?0[bB].*"));
    return Long.parseLong(prefixed ? digits.replaceFirst("0[xXoObB]", "") : digits, base);
  }

  private static Value format(Value value, Args args) {
    boolean named = !args.named().isEmpty();
    Value values = new Seq(Seq.Kind.TUPLE, args.positional());
    if (named) {
      Map<Value, Value> entries = new java.util.LinkedHashMap<>();
      args.named().forEach((name, item) -> entries.put(Value.of(name), item));
      values = new Dict(entries);
    }
    return Formatting.percent(soft(value), values);
  }

  private static Value indent(Value value, Args args) {
    Args.Bound bound = args.bind("indent", 0, "width", "first", "blank");
    Operators.refuseUndefined(value);
    if (!(value instanceof Value.Str text)) {
      throw new TemplateException("indent must be given a string but got a " + value.type());
    }
    String width =
        bound.value("width", Value.of(4)) instanceof Value.Str own
            ? own.text()
            : new TextBuffer().repeat(" ", bound.integer("width", 4)).toString();
    TextBuffer out = new TextBuffer().append(bound.truth("first") ? width : "");
    String before = "";
    for (String line : PythonText.lines(text.text() + "\n", false)) {
      out.append(before)
          .append(!before.isEmpty() && (bound.truth("blank") || !line.isEmpty()) ? width : "");
      out.append(line);
      before = "\n";
    }
    return new Value.Str(out.toString(), text.markup());
  }

  private static Value replace(Value value, Args args) {
    Args.Bound bound = args.bind("replace", 2, "old", "new", "count");
    return Value.of(
        StringMethods.replace(
            Repr.text(value),
            Repr.text(bound.value("old")),
            Repr.text(bound.value("new")),
            bound.integer("count", -1)));
  }

  private static Value round(Value value, Args args) {
    Args.Bound bound = args.bind("round", 0, "precision", "method");
    String method = bound.text("method", "common");
    int precision = (int) Math.max(-400, Math.min(400, bound.integer("precision", 0)));
    Operators.refuseUndefined(value);
    if (!(value instanceof Value.Num number)) {
      throw new TemplateException("round must be given a number but got a " + value.type());
    } else if (!List.of("common", "ceil", "floor").contains(method)) {
      throw new TemplateException("method must be common, ceil or floor but was " + method);
    } else if (!Double.isFinite(number.real())) {
      return value;
    }
    double scale = Math.pow(10, precision);
    return switch (method) {
      case "ceil" -> new Value.Real(Math.ceil(number.real() * scale) / scale);
      case "floor" -> new Value.Real(Math.floor(number.real() * scale) / scale);
      default -> {
        boolean integer = Operators.isInteger(value);
        BigDecimal exact =
            integer ? BigDecimal.valueOf(Operators.integer(value)) : new BigDecimal(number.real());
        BigDecimal rounded = exact.setScale(precision, RoundingMode.HALF_EVEN);
        yield integer
            ? Value.of(rounded.longValue())
            : new Value.Real(Math.copySign(rounded.doubleValue(), number.real()));
      }
    };
  }

  private static String title(String text) {
    StringBuilder title = new StringBuilder();
    for (String word : TITLE_BREAK.split(text)) {
      int first = word.isEmpty() ? 0 : word.offsetByCodePoints(0, 1);
      title.append(PythonText.upper(word.substring(0, first)));
      title.append(PythonText.lower(word.substring(first)));
    }
    return title.toString();
  }

  private static Value truncate(Value value, Args args) {
    Args.Bound bound = args.bind("truncate", 0, "length", "killwords", "end", "leeway");
    String end = bound.text("end", "...");
    long length = bound.integer("length", 255);
    long most = length + bound.integer("leeway", 5);
    if (length < PythonText.length(end)) {
      throw new TemplateException(
          "truncate: length must be at least that of the end but was " + length);
    } else if (Operators.length(value) <= most) {
      return value;
    }
    if (!(value instanceof Value.Str string)) {
      throw new TemplateException("truncate must be given a string but got a " + value.type());
    }
    String text = string.text();
    String kept =
        text.substring(0, text.offsetByCodePoints(0, (int) length - PythonText.length(end)));
    int space = bound.truth("killwords") ? -1 : kept.lastIndexOf(' ');
    return Value.of((space < 0 ? kept : kept.substring(0, space)) + end);
  }
}
