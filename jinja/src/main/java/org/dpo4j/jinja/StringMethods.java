package org.dpo4j.jinja;

import static java.util.Map.entry;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/** The methods of Python's str. */
final class StringMethods {
  private interface Method {
    Value call(String self, Args args);
  }

  private static final Map<String, Method> METHODS =
      Map.ofEntries(
          entry("strip", (s, a) -> strip("strip", s, a, true, true)),
          entry("lstrip", (s, a) -> strip("lstrip", s, a, true, false)),
          entry("rstrip", (s, a) -> strip("rstrip", s, a, false, true)),
          entry("upper", (s, a) -> plain("upper", a, PythonText.upper(s))),
          entry("lower", (s, a) -> plain("lower", a, PythonText.lower(s))),
          entry("casefold", (s, a) -> plain("casefold", a, PythonText.lower(PythonText.upper(s)))),
          entry("title", (s, a) -> plain("title", a, PythonText.title(s))),
          entry("capitalize", (s, a) -> plain("capitalize", a, PythonText.capitalize(s))),
          entry("swapcase", StringMethods::swapcase),
          entry("split", (s, a) -> split("split", s, a)),
          entry("rsplit", (s, a) -> split("rsplit", s, a)),
          entry("splitlines", StringMethods::splitlines),
          entry("partition", (s, a) -> partition("partition", s, a)),
          entry("rpartition", (s, a) -> partition("rpartition", s, a)),
          entry("startswith", (s, a) -> affix("startswith", s, a)),
          entry("endswith", (s, a) -> affix("endswith", s, a)),
          entry("removeprefix", (s, a) -> remove("removeprefix", s, a)),
          entry("removesuffix", (s, a) -> remove("removesuffix", s, a)),
          entry("find", (s, a) -> Value.of(find("find", s, a))),
          entry("rfind", (s, a) -> Value.of(find("rfind", s, a))),
          entry("index", (s, a) -> found(find("index", s, a))),
          entry("rindex", (s, a) -> found(find("rindex", s, a))),
          entry("count", StringMethods::count),
          entry("replace", StringMethods::replace),
          entry("join", StringMethods::join),
          entry("format", (s, a) -> Value.of(Formatting.braces(s, a))),
          entry("center", (s, a) -> pad("center", s, a)),
          entry("ljust", (s, a) -> pad("ljust", s, a)),
          entry("rjust", (s, a) -> pad("rjust", s, a)),
          entry("zfill", StringMethods::zfill),
          entry("isdigit", (s, a) -> all("isdigit", s, a, StringMethods::isDigit)),
          entry("isdecimal", (s, a) -> all("isdecimal", s, a, Character::isDigit)),
          entry("isnumeric", (s, a) -> all("isnumeric", s, a, StringMethods::isNumeric)),
          entry("isalpha", (s, a) -> all("isalpha", s, a, Character::isLetter)),
          entry("isalnum", (s, a) -> all("isalnum", s, a, StringMethods::isAlphanumeric)),
          entry("isspace", (s, a) -> all("isspace", s, a, PythonText::isSpace)),
          entry("isascii", (s, a) -> Value.of(s.chars().allMatch(c -> c < 128))),
          entry("isupper", (s, a) -> Value.of(isCase(s, Character::isUpperCase))),
          entry("islower", (s, a) -> Value.of(isCase(s, Character::isLowerCase))),
          entry("istitle", (s, a) -> Value.of(s.equals(PythonText.title(s)) && hasCase(s))));

  private StringMethods() {}

  /** The method bound to the text, or null where Python has none. */
  static @Nullable Value find(Value.Str self, String name) {
    Method method = METHODS.get(name);
    if (method == null) {
      return null;
    }
    return new Value.Function(
        name,
        (run, args) -> {
          run.read(self);
          Value result = method.call(self.text(), self.markup() ? escaped(name, args) : args);
          return self.markup() ? marked(result) : result;
        });
  }

  /** What markup does to the arguments that become part of it. */
  private static Args escaped(String name, Args args) {
    if (!name.equals("replace") && !name.equals("join")) {
      return args;
    }
    List<Value> values = new ArrayList<>(args.positional());
    int at = name.equals("replace") ? 1 : 0;
    if (at < values.size()) {
      Value value = values.get(at);
      values.set(
          at,
          value instanceof Value.Str
              ? Filters.escape(value)
              : Value.list(Operators.iterate(value).stream().map(Filters::escape).toList()));
    }
    return new Args(values, args.named());
  }

  private static Value marked(Value value) {
    if (value instanceof Value.Str text) {
      return new Value.Str(text.text(), true);
    } else if (value instanceof Seq seq) {
      return new Seq(seq.kind, seq.items.stream().map(StringMethods::marked).toList());
    }
    return value;
  }

  private static Value plain(String name, Args args, String result) {
    args.bind(name, 0);
    return Value.of(result);
  }

  private static Value strip(String name, String self, Args args, boolean left, boolean right) {
    return Value.of(PythonText.strip(self, args.bind(name, 0, "chars").text("chars"), left, right));
  }

  private static Value swapcase(String self, Args args) {
    StringBuilder swapped = new StringBuilder();
    self.codePoints()
        .mapToObj(Character::toString)
        .forEach(
            c -> {
              String upper = PythonText.upper(c);
              swapped.append(c.equals(upper) ? PythonText.lower(c) : upper);
            });
    return plain("swapcase", args, swapped.toString());
  }

  private static Value split(String name, String self, Args args) {
    Args.Bound bound = args.bind(name, 0, "sep", "maxsplit");
    String separator = bound.text("sep");
    if (separator != null && separator.isEmpty()) {
      throw new TemplateException(name + "(): the separator must not be empty but was");
    }
    long limit = bound.integer("maxsplit", -1);
    return texts(
        name.equals("split")
            ? PythonText.split(self, separator, limit)
            : PythonText.splitRight(self, separator, limit));
  }

  private static Value splitlines(String self, Args args) {
    return texts(PythonText.lines(self, args.bind("splitlines", 0, "keepends").truth("keepends")));
  }

  static Value texts(List<String> parts) {
    Limits.items(parts.size());
    return Value.list(parts.stream().<Value>map(Value::of).toList());
  }

  private static Value partition(String name, String self, Args args) {
    String separator = string(name, args.bind(name, 1, "sep").value("sep"));
    boolean right = name.equals("rpartition");
    int at = right ? self.lastIndexOf(separator) : self.indexOf(separator);
    if (at < 0) {
      Value whole = Value.of(self);
      return right
          ? Value.tuple(Values.EMPTY, Values.EMPTY, whole)
          : Value.tuple(whole, Values.EMPTY, Values.EMPTY);
    }
    return Value.tuple(
        Value.of(self.substring(0, at)),
        Value.of(separator),
        Value.of(self.substring(at + separator.length())));
  }

  private static String string(String name, Value value) {
    Operators.refuseUndefined(value);
    if (value instanceof Value.Str text) {
      return text.text();
    }
    throw new TemplateException(name + "() must be given a string but got a " + value.type());
  }

  /** The part of the text that the arguments {@code start} and {@code end} leave. */
  private static String window(String self, Args.Bound bound) {
    if (!bound.has("start") && !bound.has("end")) {
      return self;
    }
    Value start = bound.value("start", Values.NONE);
    Value slice = Access.slice(Value.of(self), start, bound.value("end", Values.NONE), Values.NONE);
    return ((Value.Str) slice).text();
  }

  private static Value affix(String name, String self, Args args) {
    Args.Bound bound = args.bind(name, 1, "prefix", "start", "end");
    String window = window(self, bound);
    Value wanted = bound.value("prefix");
    boolean tuple = wanted instanceof Seq seq && seq.kind == Seq.Kind.TUPLE;
    for (Value value : tuple ? Operators.iterate(wanted) : List.of(wanted)) {
      String affix = string(name, value);
      if (name.equals("startswith") ? window.startsWith(affix) : window.endsWith(affix)) {
        return Values.TRUE;
      }
    }
    return Values.FALSE;
  }

  private static Value remove(String name, String self, Args args) {
    String affix = string(name, args.bind(name, 1, "affix").value("affix"));
    if (name.equals("removeprefix")) {
      return Value.of(self.startsWith(affix) ? self.substring(affix.length()) : self);
    }
    return Value.of(
        self.endsWith(affix) ? self.substring(0, self.length() - affix.length()) : self);
  }

  private static long find(String name, String self, Args args) {
    Args.Bound bound = args.bind(name, 1, "sub", "start", "end");
    String wanted = string(name, bound.value("sub"));
    String window = window(self, bound);
    int at = name.startsWith("r") ? window.lastIndexOf(wanted) : window.indexOf(wanted);
    if (at < 0) {
      return -1;
    }
    long start = bound.integer("start", 0);
    int length = PythonText.length(self);
    long offset = start < 0 ? Math.max(0, start + length) : Math.min(start, length);
    return offset + window.codePointCount(0, at);
  }

  private static Value found(long index) {
    if (index < 0) {
      throw new TemplateException("substring not found");
    }
    return Value.of(index);
  }

  private static Value count(String self, Args args) {
    Args.Bound bound = args.bind("count", 1, "sub", "start", "end");
    return Value.of(occurrences(window(self, bound), string("count", bound.value("sub"))));
  }

  private static long occurrences(String text, String wanted) {
    if (wanted.isEmpty()) {
      return PythonText.length(text) + 1L;
    }
    long count = 0;
    for (int at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length())) {
      count++;
    }
    return count;
  }

  private static Value replace(String self, Args args) {
    Args.Bound bound = args.bind("replace", 2, "old", "new", "count");
    String wanted = string("replace", bound.value("old"));
    return Value.of(
        replace(self, wanted, string("replace", bound.value("new")), bound.integer("count", -1)));
  }

  /**
   * @param limit the most replacements, or negative for all
   */
  static String replace(String text, String wanted, String replacement, long limit) {
    TextBuffer out = new TextBuffer();
    int from = 0;
    for (long done = 0; limit < 0 || done < limit; done++) {
      int at = text.indexOf(wanted, from + (wanted.isEmpty() && done > 0 ? 1 : 0));
      if (at < 0 || from > text.length() || (wanted.isEmpty() && done > text.length())) {
        break;
      }
      out.append(text.substring(from, at)).append(replacement);
      from = at + wanted.length();
    }
    return out.append(text.substring(from)).toString();
  }

  private static Value join(String self, Args args) {
    TextBuffer out = new TextBuffer();
    String separator = "";
    for (Value item : Operators.iterate(args.bind("join", 1, "iterable").value("iterable"))) {
      out.append(separator).append(string("join", item));
      separator = self;
    }
    return Value.of(out.toString());
  }

  private static Value pad(String name, String self, Args args) {
    Args.Bound bound = args.bind(name, 1, "width", "fillchar");
    long missing = Math.max(0, bound.integer("width", 0) - PythonText.length(self));
    long left =
        switch (name) {
          case "ljust" -> 0;
          case "rjust" -> missing;
          default -> missing / 2 + (missing & bound.integer("width", 0) & 1);
        };
    String fill = bound.text("fillchar", " ");
    TextBuffer out = new TextBuffer().repeat(fill, left).append(self);
    return Value.of(out.repeat(fill, missing - left).toString());
  }

  private static Value zfill(String self, Args args) {
    long missing = args.bind("zfill", 1, "width").integer("width", 0) - PythonText.length(self);
    int sign = self.startsWith("-") || self.startsWith("+") ? 1 : 0;
    TextBuffer out = new TextBuffer().append(self.substring(0, sign));
    return Value.of(out.repeat("0", Math.max(0, missing)).append(self.substring(sign)).toString());
  }

  private static Value all(String name, String self, Args args, IntPredicate predicate) {
    args.bind(name, 0);
    return Value.of(!self.isEmpty() && self.codePoints().allMatch(predicate));
  }

  /** A decimal digit, or one raised, lowered or in a circle. */
  private static boolean isDigit(int point) {
    return Character.isDigit(point)
        || "\u00b2\u00b3\u00b9\u2070".indexOf(point) >= 0
        || (point >= 0x2074 && point <= 0x2079)
        || (point >= 0x2080 && point <= 0x2089)
        || (point >= 0x2460 && point <= 0x2468);
  }

  private static boolean isNumeric(int point) {
    int type = Character.getType(point);
    return Character.isDigit(point)
        || type == Character.LETTER_NUMBER
        || type == Character.OTHER_NUMBER;
  }

  private static boolean isAlphanumeric(int point) {
    return Character.isLetter(point) || isNumeric(point);
  }

  private static boolean hasCase(String text) {
    return text.codePoints().anyMatch(PythonText::isCased);
  }

  /** Whether the text has letters with case, all of the wanted one. */
  static boolean isCase(String text, IntPredicate wanted) {
    return hasCase(text) && text.codePoints().filter(PythonText::isCased).allMatch(wanted);
  }
}
