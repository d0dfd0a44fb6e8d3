package org.dpo4j.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The filter {@code tojson} as transformers defines it: Python's json.dumps, no HTML escapes. */
final class Json {
  private final TextBuffer out = new TextBuffer();
  private final boolean ascii;
  private final boolean sorted;
  private final @Nullable String indent;
  private final String itemSeparator;
  private final String keySeparator;

  private Json(Args.Bound options) {
    ascii = options.truth("ensure_ascii");
    sorted = options.truth("sort_keys");
    Value width = options.value("indent", Values.NONE);
    indent =
        width == Values.NONE
            ? null
            : width instanceof Value.Str text
                ? text.text()
                : new TextBuffer().repeat(" ", Operators.integer(width)).toString();
    Value separators = options.value("separators", Values.NONE);
    if (separators == Values.NONE) {
      itemSeparator = indent == null ? ", " : ",";
      keySeparator = ": ";
    } else {
      List<Value> both = Operators.iterate(separators);
      if (both.size() != 2) {
        throw new TemplateException("tojson: separators must be two but were " + both.size());
      }
      itemSeparator = Repr.text(both.get(0));
      keySeparator = Repr.text(both.get(1));
    }
  }

  static Value filter(Value input, Args args) {
    Json json =
        new Json(args.bind("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys"));
    json.write(input, 0);
    return Value.of(json.out.toString());
  }

  private void write(Value value, int level) {
    if (value instanceof Value.Str text) {
      string(text.text());
    } else if (value == Values.NONE) {
      out.append("null");
    } else if (value instanceof Value.Num number) {
      out.append(number(number));
    } else if (value instanceof Seq seq
        && (seq.kind == Seq.Kind.LIST || seq.kind == Seq.Kind.TUPLE)) {
      array(seq.items, level);
    } else if (value instanceof Dict dict) {
      object(dict, level);
    } else {
      throw new TemplateException(
          "Object of type " + value.type() + " is not JSON serializable; check that it is defined");
    }
  }

  private static String number(Value.Num number) {
    if (number instanceof Value.Real && !Double.isFinite(number.real())) {
      return Double.isNaN(number.real()) ? "NaN" : number.real() > 0 ? "Infinity" : "-Infinity";
    }
    return number instanceof Value.Bool flag ? flag.flag() ? "true" : "false" : Repr.number(number);
  }

  private void array(List<Value> items, int level) {
    out.append("[");
    String separator = "";
    for (Value item : items) {
      out.append(separator);
      line(level + 1);
      write(item, level + 1);
      separator = itemSeparator;
    }
    if (!items.isEmpty()) {
      line(level);
    }
    out.append("]");
  }

  private void object(Dict dict, int level) {
    List<Map.Entry<Value, Value>> entries = new ArrayList<>(dict.entries.entrySet());
    if (sorted) {
      entries.sort((a, b) -> Operators.order("<", a.getKey(), b.getKey()));
    }
    out.append("{");
    String separator = "";
    for (Map.Entry<Value, Value> entry : entries) {
      out.append(separator);
      line(level + 1);
      string(key(entry.getKey()));
      out.append(keySeparator);
      write(entry.getValue(), level + 1);
      separator = itemSeparator;
    }
    if (!entries.isEmpty()) {
      line(level);
    }
    out.append("}");
  }

  private static String key(Value key) {
    if (key instanceof Value.Str text) {
      return text.text();
    } else if (key instanceof Value.Num number) {
      return number(number);
    } else if (key == Values.NONE) {
      return "null";
    }
    throw new TemplateException("keys must be str, int, float, bool or None, not " + key.type());
  }

  private void line(int level) {
    if (indent != null) {
      out.append("\n").repeat(indent, level);
    }
  }

  private void string(String text) {
    out.append("\"");
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        case '\f' -> out.append("\\f");
        case '\b' -> out.append("\\b");
        default -> {
          boolean escaped = c < ' ' || (ascii && c > '~');
          out.append(escaped ? String.format("\\u%04x", (int) c) : String.valueOf(c));
        }
      }
    }
    out.append("\"");
  }
}
