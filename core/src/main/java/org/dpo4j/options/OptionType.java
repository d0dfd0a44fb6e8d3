package org.dpo4j.options;

import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dpo4j.UsageException;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads and formats option values of one type.
 *
 * @param rule what a value must be, for error messages
 * @param label short name of a value for the help, for example {@code N}
 * @param choices all values of a closed set; empty for the open types
 * @param flag whether the bare option means true
 * @param list whether the value is a list: items with commas between them, where {@code \\,} is a
 *     comma inside an item; or a JSON list; or a mapping, whose items are NAME=VALUE
 * @param reader text to value; throws IllegalArgumentException when the text breaks the rule
 */
public record OptionType(
    String rule,
    String label,
    List<String> choices,
    boolean flag,
    boolean list,
    Function<String, Object> reader) {

  private static final List<String> YES = List.of("true", "yes", "on", "1", "t", "y");
  private static final List<String> NO = List.of("false", "no", "off", "0", "f", "n");

  /** As YAML 1.1 has them. */
  private static final Pattern TRUE = Pattern.compile("(?i)true|yes|on");

  private static final Pattern FALSE = Pattern.compile("(?i)false|no|off");

  private static final Pattern COMMA = Pattern.compile("(?<!\\\\),");

  /** Names with values as in JSON, null among them, in the order of the names. */
  private static final OptionType MAPPING =
      open(
          "a JSON object, as in {\"name\": 1}, or a mapping in YAML",
          "JSON",
          text -> {
            try {
              return YamlOptions.values(text);
            } catch (UsageException e) {
              throw new IllegalArgumentException(e);
            }
          });

  /** The type of a record component that is not optional. */
  static OptionType of(Type type) {
    if (type instanceof ParameterizedType generic) {
      return generic.getRawType() == Map.class
          ? MAPPING
          : listOf(of(generic.getActualTypeArguments()[0]));
    }
    return of((Class<?>) type);
  }

  private static OptionType listOf(OptionType item) {
    return new OptionType(
        "a list with commas between its items, each " + item.rule(),
        item.label() + ",...",
        item.choices(),
        false,
        true,
        text -> items(text).map(item::read).toList());
  }

  /**
   * The items of a list as written: with commas between them, or as JSON. A mapping in YAML has the
   * items NAME=VALUE.
   */
  public static Stream<String> items(String text) {
    if (text.startsWith("{") && text.endsWith("}")) {
      Optional<List<String>> named = YamlOptions.items(text);
      if (named.isPresent()) {
        return named.get().stream();
      }
    }
    if (text.startsWith("[") && text.endsWith("]")) {
      try {
        return Arrays.stream(JsonMapper.shared().readValue(text, Object[].class))
            .map(String::valueOf);
      } catch (JacksonException e) {
        // Not JSON: a pattern such as [ab].jsonl[.gz] is kept.
      }
    }
    return COMMA.splitAsStream(text).map(OptionType::unescaped);
  }

  private static String unescaped(String item) {
    return item.strip().replace("\\,", ",");
  }

  /** Joins items by commas; commas inside items are escaped. */
  static String joined(Collection<String> items) {
    return items.stream().map(item -> item.replace(",", "\\,")).collect(Collectors.joining(","));
  }

  private static OptionType of(Class<?> type) {
    if (type == int.class || type == Integer.class) {
      return open("a whole number", "N", text -> decimal(text).intValueExact());
    }
    if (type == long.class) {
      return open("a whole number", "N", text -> decimal(text).longValueExact());
    }
    if (type == double.class || type == Double.class) {
      return open("a number", "X", OptionType::number);
    }
    if (type == boolean.class || type == Boolean.class) {
      return new OptionType(
          "true or false", "BOOL", List.of("true", "false"), true, false, OptionType::truth);
    }
    if (type == String.class) {
      return open("a text", "TEXT", text -> text);
    }
    if (type == Path.class) {
      return open("a path", "PATH", OptionType::path);
    }
    if (type == StepInterval.class) {
      return open(
          "a whole number of steps from 1, or a share of all steps below 1",
          "N",
          text -> new StepInterval(number(text)));
    }
    if (type == LoopbackPort.class) {
      return new OptionType(LoopbackPort.RULE, "PORT", List.of(), true, false, LoopbackPort::of);
    }
    if (type == CountOrFile.class) {
      return open(CountOrFile.RULE, "N|FILE", CountOrFile::of);
    }
    if (type == DeviceName.class) {
      return open(DeviceName.RULE, "NAME", DeviceName::new);
    }
    if (type.isEnum()) {
      return choice(type.getEnumConstants());
    }
    throw new IllegalArgumentException("no option can have the type " + type.getName());
  }

  private static final int MOST_DIGITS = 1000;

  private static OptionType open(String rule, String label, Function<String, Object> reader) {
    return new OptionType(rule, label, List.of(), false, false, reader);
  }

  private static OptionType choice(Object[] constants) {
    List<String> names = Arrays.stream(constants).map(OptionType::text).toList();
    return new OptionType(
        "one of " + String.join(", ", names),
        "NAME",
        names,
        false,
        false,
        // YAML 1.1 parsers, and tools that rewrite YAML files, turn a bare no into false.
        text -> constants[index(names, text.equalsIgnoreCase("false") ? "no" : text)]);
  }

  private static int index(List<String> names, String text) {
    int index = names.indexOf(text.toLowerCase(Locale.ROOT));
    if (index < 0) {
      throw new IllegalArgumentException(text);
    }
    return index;
  }

  private static Double number(String text) {
    return decimal(text).doubleValue();
  }

  /** As Python writes numbers: 1_000 is 1000. */
  private static BigDecimal decimal(String text) {
    if (text.length() > MOST_DIGITS) { // converting takes the square of their number
      throw new IllegalArgumentException("a number of %d characters".formatted(text.length()));
    }
    return new BigDecimal(text.replaceAll("(?<=\\d)_(?=\\d)", ""));
  }

  /** A whole number as Long, another as Double, true and false, or the text as it is. */
  static Object scalar(String text) {
    if (TRUE.matcher(text).matches()) {
      return true;
    }
    if (FALSE.matcher(text).matches()) {
      return false;
    }
    try {
      BigDecimal number = decimal(text);
      double approximate = number.doubleValue();
      return approximate == Math.rint(approximate) && Math.abs(approximate) < 1e15
          ? (Object) (long) approximate
          : (Object) approximate;
    } catch (IllegalArgumentException e) {
      return text;
    }
  }

  private static Path path(String text) {
    if (text.isBlank()) {
      throw new IllegalArgumentException("empty");
    }
    return Path.of(text);
  }

  static Boolean truth(String text) {
    String word = text.toLowerCase(Locale.ROOT);
    if (YES.contains(word)) {
      return true;
    }
    if (NO.contains(word)) {
      return false;
    }
    throw new IllegalArgumentException(text);
  }

  /** Reads a value; throws IllegalArgumentException when {@code text} breaks the rule. */
  Object read(String text) {
    return reader.apply(text);
  }

  /** A value as a user would write it. */
  public static String text(Object value) {
    if (value instanceof Enum<?> constant) {
      return constant.name().toLowerCase(Locale.ROOT);
    }
    if (value instanceof StepInterval interval) {
      return shortest(interval.value());
    }
    if (value instanceof Double number) {
      return shortest(number);
    }
    if (value instanceof List<?> list) {
      return joined(list.stream().map(OptionType::text).toList());
    }
    if (value instanceof Map<?, ?> mapping) {
      return mapping.entrySet().stream()
          .map(entry -> json(String.valueOf(entry.getKey())) + ": " + json(entry.getValue()))
          .collect(Collectors.joining(", ", "{", "}"));
    }
    return value.toString();
  }

  /** A value as JSON. */
  public static String json(@Nullable Object value) {
    if (value instanceof List<?> list) {
      return list.stream().map(OptionType::json).collect(Collectors.joining(", ", "[", "]"));
    }
    if (value instanceof Map<?, ?>) {
      return text(value);
    }
    return value == null || value instanceof Number || value instanceof Boolean
        ? text(Objects.requireNonNullElse(value, "null"))
        : JsonMapper.shared().writeValueAsString(value.toString());
  }

  /** Whole numbers without a fraction, small ones as {@code 1e-6}. */
  public static String shortest(double number) {
    if (number == Math.rint(number) && Math.abs(number) < 1e15) {
      return Long.toString((long) number);
    }
    return Double.toString(number).replace(".0E", "e").replace('E', 'e');
  }
}
