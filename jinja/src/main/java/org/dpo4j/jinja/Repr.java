package org.dpo4j.jinja;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.List;

/** Python's {@code str} and {@code repr}. */
final class Repr {
  private Repr() {}

  /** What printing the value writes. */
  static String text(Value value) {
    if (value instanceof Value.Str text) {
      return text.text();
    }
    return value instanceof Value.Undefined ? "" : of(value);
  }

  static String of(Value value) {
    TextBuffer out = new TextBuffer();
    write(value, out);
    return out.toString();
  }

  private static void write(Value value, TextBuffer out) {
    if (value instanceof Value.Str text) {
      out.append(text.markup() ? "Markup(" : "");
      quoted(text.text(), out);
      out.append(text.markup() ? ")" : "");
    } else if (value instanceof Seq seq) {
      sequence(seq, out);
    } else if (value instanceof Dict dict) {
      String separator = "{";
      for (var entry : dict.entries.entrySet()) {
        write(entry.getKey(), out.append(separator));
        write(entry.getValue(), out.append(": "));
        separator = ", ";
      }
      out.append(dict.entries.isEmpty() ? "{}" : "}");
    } else if (value instanceof Value.Num number) {
      out.append(number(number));
    } else if (value == Values.NONE) {
      out.append("None");
    } else if (value instanceof Value.Undefined) {
      out.append("Undefined");
    } else {
      out.append("<" + value.type() + ">");
    }
  }

  private static void sequence(Seq seq, TextBuffer out) {
    switch (seq.kind) {
      case LIST -> items("[", seq.items, "]", out);
      case TUPLE -> items("(", seq.items, seq.items.size() == 1 ? ",)" : ")", out);
      case RANGE -> range(seq.items, out);
      default -> items(seq.type() + "([", seq.items, "])", out);
    }
  }

  private static void items(String open, List<Value> items, String close, TextBuffer out) {
    out.append(open);
    String separator = "";
    for (Value item : items) {
      write(item, out.append(separator));
      separator = ", ";
    }
    out.append(close);
  }

  private static void range(List<Value> items, TextBuffer out) {
    long first = items.isEmpty() ? 0 : Operators.integer(items.get(0));
    long step = items.size() < 2 ? 1 : Operators.integer(items.get(1)) - first;
    long end = first + items.size() * step;
    out.append("range(" + first + ", " + end + (step == 1 ? ")" : ", " + step + ")"));
  }

  static String number(Value.Num number) {
    if (number instanceof Value.Bool flag) {
      return flag.flag() ? "True" : "False";
    }
    return number instanceof Value.Int integer
        ? Long.toString(integer.number())
        : real(number.real());
  }

  /** The shortest digits that read back as the same number, as Python writes them. */
  static String real(double real) {
    if (Double.isNaN(real) || Double.isInfinite(real)) {
      return Double.isNaN(real) ? "nan" : real > 0 ? "inf" : "-inf";
    } else if (real == 0) {
      return 1 / real < 0 ? "-0.0" : "0.0";
    }
    BigDecimal exact = new BigDecimal(real);
    BigDecimal shortest = exact;
    for (int digits = 1; digits <= 17; digits++) {
      shortest = exact.round(new MathContext(digits, RoundingMode.HALF_EVEN));
      if (shortest.doubleValue() == real) {
        break;
      }
    }
    shortest = shortest.stripTrailingZeros();
    int exponent = shortest.precision() - shortest.scale() - 1;
    if (exponent >= -4 && exponent < 16) {
      String plain = shortest.toPlainString();
      return plain.contains(".") ? plain : plain + ".0";
    }
    String digits = shortest.unscaledValue().abs().toString();
    String fraction = digits.length() > 1 ? "." + digits.substring(1) : "";
    return (real < 0 ? "-" : "")
        + digits.charAt(0)
        + fraction
        + (exponent < 0 ? "e-" : "e+")
        + (Math.abs(exponent) < 10 ? "0" : "")
        + Math.abs(exponent);
  }

  private static void quoted(String text, TextBuffer out) {
    String quote = text.contains("'") && !text.contains("\"") ? "\"" : "'";
    out.append(quote);
    text.codePoints().forEach(point -> character(point, quote.charAt(0), out));
    out.append(quote);
  }

  private static void character(int point, char quote, TextBuffer out) {
    switch (point) {
      case '\n' -> out.append("\\n");
      case '\r' -> out.append("\\r");
      case '\t' -> out.append("\\t");
      case '\\' -> out.append("\\\\");
      default -> {
        if (point == quote) {
          out.append("\\").append(point);
        } else if (PythonText.isPrintable(point)) {
          out.append(point);
        } else if (point < 0x100) {
          out.append(String.format("\\x%02x", point));
        } else {
          out.append(String.format(point < 0x10000 ? "\\u%04x" : "\\U%08x", point));
        }
      }
    }
  }
}
