package org.dpo4j.jinja;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Python's two ways to put values into a text: {@code '%s' % value} and {@code '{}'.format()}. */
final class Formatting {
  private static final Pattern PERCENT =
      Pattern.compile("%(?:\\(([^)]*)\\))?([-+ 0#]*)(\\d{0,9})(?:\\.(\\d{0,9}))?([a-zA-Z%])?");
  private static final Pattern FIELD =
      Pattern.compile("\\{\\{|\\}\\}|\\{([^{}!:]*)(?:!([rsa]))?(?::([^{}]*))?\\}|[{}]");
  private static final Pattern SPEC =
      Pattern.compile("(?:(.)?([<>^=]))?([-+ ]?)(0?)(\\d{0,9})(,?)(?:\\.(\\d{1,9}))?([a-zA-Z%]?)");

  private Formatting() {}

  /** Into markup, texts are put escaped. */
  static Value percent(Value.Str template, Value values) {
    String format = template.text();
    List<Value> items =
        values instanceof Seq seq && seq.kind == Seq.Kind.TUPLE ? seq.items : List.of(values);
    TextBuffer out = new TextBuffer();
    Matcher matcher = PERCENT.matcher(format);
    int used = 0;
    int from = 0;
    while (matcher.find(from)) {
      out.append(format.substring(from, matcher.start()));
      from = matcher.end();
      String type = matcher.group(5);
      if (type == null) {
        throw new TemplateException("incomplete format");
      } else if (type.equals("%")) {
        out.append("%");
        continue;
      }
      Value value;
      if (matcher.group(1) != null) {
        value = Access.item(values, Value.of(matcher.group(1)));
      } else if (used < items.size()) {
        value = items.get(used++);
      } else {
        throw new TemplateException("not enough arguments for format string");
      }
      boolean escape = template.markup() && value instanceof Value.Str;
      out.append(percentField(matcher, escape ? Filters.escape(value) : value, type));
    }
    if (used < items.size() && !(values instanceof Dict)) {
      throw new TemplateException("not all arguments converted during string formatting");
    }
    return new Value.Str(out.append(format.substring(from)).toString(), template.markup());
  }

  private static String percentField(Matcher matcher, Value value, String type) {
    String flags = matcher.group(2);
    String precision = matcher.group(4);
    String width = matcher.group(3);
    boolean text = "sra".contains(type);
    Value shown =
        text
            ? Value.of(type.equals("s") ? Repr.text(value) : Repr.of(value))
            : number(value, "diu".contains(type));
    String sign = flags.contains("+") ? "+" : flags.contains(" ") ? " " : "";
    boolean zeros = flags.contains("0") && !flags.contains("-") && !text;
    String align = flags.contains("-") ? "<" : zeros ? "=" : ">";
    return field(
        shown,
        new Spec(
            zeros ? "0" : " ",
            align,
            sign,
            width.isEmpty() ? 0 : Integer.parseInt(width),
            false,
            precision == null ? -1 : precision.isEmpty() ? 0 : Integer.parseInt(precision),
            text ? "s" : "diu".contains(type) ? "d" : type));
  }

  private static Value number(Value value, boolean integer) {
    Operators.refuseUndefined(value);
    if (value instanceof Value.Num number) {
      return integer && value instanceof Value.Real ? Value.of((long) number.real()) : value;
    }
    throw new TemplateException("a format field needs a number but got a " + value.type());
  }

  static String braces(String format, Args args) {
    TextBuffer out = new TextBuffer();
    Matcher matcher = FIELD.matcher(format);
    int from = 0;
    int next = 0;
    while (matcher.find()) {
      out.append(format.substring(from, matcher.start()));
      from = matcher.end();
      String found = matcher.group();
      if (found.equals("{{") || found.equals("}}")) {
        out.append(found.substring(1));
        continue;
      } else if (found.length() < 2) {
        throw new TemplateException("a format string must have matching braces but has not");
      }
      String name = matcher.group(1);
      Value value = lookUp(name.isEmpty() ? Integer.toString(next++) : name, args);
      if (matcher.group(2) != null) {
        value = Value.of(matcher.group(2).equals("s") ? Repr.text(value) : Repr.of(value));
      }
      String spec = matcher.group(3);
      out.append(spec == null || spec.isEmpty() ? Repr.text(value) : field(value, spec(spec)));
    }
    return out.append(format.substring(from)).toString();
  }

  /** A field's value: a position or a name, then attributes and indexes. */
  private static Value lookUp(String field, Args args) {
    String[] parts = field.split("[.\\[]", -1);
    Value value;
    if (parts[0].matches("\\d{1,9}")) {
      int position = Integer.parseInt(parts[0]);
      value = position < args.positional().size() ? args.positional().get(position) : null;
    } else {
      value = args.named().get(parts[0]);
    }
    if (value == null) {
      throw new TemplateException("format() has no value for the field '" + field + "'");
    }
    for (int i = 1; i < parts.length; i++) {
      String part =
          parts[i].endsWith("]") ? parts[i].substring(0, parts[i].length() - 1) : parts[i];
      value =
          part.matches("\\d{1,9}")
              ? Access.item(value, Value.of(Long.parseLong(part)))
              : Access.attribute(value, part);
    }
    return value;
  }

  private record Spec(
      String fill,
      String align,
      String sign,
      int width,
      boolean thousands,
      int precision,
      String type) {}

  private static Spec spec(String written) {
    Matcher matcher = SPEC.matcher(written);
    if (!matcher.matches()) {
      throw new TemplateException("invalid format specifier '" + written + "'");
    }
    boolean zeros = !matcher.group(4).isEmpty();
    String align = matcher.group(2) != null ? matcher.group(2) : zeros ? "=" : "";
    String fill = matcher.group(1) != null ? matcher.group(1) : zeros ? "0" : " ";
    return new Spec(
        fill,
        align,
        matcher.group(3),
        matcher.group(5).isEmpty() ? 0 : Integer.parseInt(matcher.group(5)),
        !matcher.group(6).isEmpty(),
        matcher.group(7) == null ? -1 : Integer.parseInt(matcher.group(7)),
        matcher.group(8));
  }

  private static String field(Value value, Spec spec) {
    boolean number = value instanceof Value.Num && !spec.type().equals("s");
    String shown = number ? digits((Value.Num) value, spec) : cut(Repr.text(value), spec);
    String sign = number && shown.startsWith("-") ? "-" : "";
    shown = shown.substring(sign.length());
    if (number && sign.isEmpty() && !spec.sign().equals("-")) {
      sign = spec.sign();
    }
    long missing = Math.max(0, spec.width() - PythonText.length(shown) - sign.length());
    String align = spec.align().isEmpty() ? number ? ">" : "<" : spec.align();
    long left =
        switch (align) {
          case "<" -> 0;
          case "^" -> missing / 2;
          default -> missing;
        };
    TextBuffer out = new TextBuffer();
    boolean signFirst = align.equals("=");
    out.append(signFirst ? sign : "").repeat(spec.fill(), left).append(signFirst ? "" : sign);
    return out.append(shown).repeat(spec.fill(), missing - left).toString();
  }

  private static String cut(String text, Spec spec) {
    return spec.precision() >= 0 && spec.precision() < PythonText.length(text)
        ? text.substring(0, text.offsetByCodePoints(0, spec.precision()))
        : text;
  }

  private static String digits(Value.Num number, Spec spec) {
    Limits.check("format", spec.precision(), 1000, "digits");
    double real = number.real();
    boolean integer = !(number instanceof Value.Real);
    String group = spec.thousands() ? "," : "";
    return switch (spec.type()) {
      case "d" -> String.format(Locale.ROOT, "%" + group + "d", Operators.integer(number));
      case "x" -> Long.toString(Operators.integer(number), 16);
      case "X" -> PythonText.upper(Long.toString(Operators.integer(number), 16));
      case "o" -> Long.toString(Operators.integer(number), 8);
      case "b" -> Long.toString(Operators.integer(number), 2);
      case "f", "F" -> fixed(real, spec, group);
      case "%" -> fixed(real * 100, spec, group) + "%";
      case "e", "E" ->
          String.format(
              Locale.ROOT,
              "%." + (spec.precision() < 0 ? 6 : spec.precision()) + spec.type(),
              real);
      case "" ->
          integer
              ? String.format(Locale.ROOT, "%" + group + "d", Operators.integer(number))
              : spec.precision() < 0 ? Repr.real(real) : general(real, spec.precision());
      case "g", "G" -> general(real, spec.precision() < 0 ? 6 : spec.precision());
      default -> throw new TemplateException("unknown format code '" + spec.type() + "'");
    };
  }

  private static String fixed(double real, Spec spec, String group) {
    if (Double.isNaN(real) || Double.isInfinite(real)) {
      return Repr.real(real);
    }
    int precision = spec.precision() < 0 ? 6 : spec.precision();
    BigDecimal rounded = new BigDecimal(real).setScale(precision, RoundingMode.HALF_EVEN);
    return String.format(Locale.ROOT, "%" + group + "." + precision + "f", rounded);
  }

  private static String general(double real, int precision) {
    if (real == 0 || Double.isNaN(real) || Double.isInfinite(real)) {
      return real == 0 ? "0" : Repr.real(real);
    }
    BigDecimal rounded =
        new BigDecimal(real)
            .round(new java.math.MathContext(Math.max(1, precision), RoundingMode.HALF_EVEN))
            .stripTrailingZeros();
    int exponent = rounded.precision() - rounded.scale() - 1;
    return exponent >= -4 && exponent < Math.max(1, precision)
        ? rounded.toPlainString()
        : Repr.real(rounded.doubleValue());
  }
}
