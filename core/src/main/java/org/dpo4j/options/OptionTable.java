package org.dpo4j.options;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.nio.file.InvalidPathException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.dpo4j.UsageException;

/**
 * The options of one configuration record: converts between the record and names with values. A
 * component of the record is an {@link Option}, or a record of options, which forms a group.
 *
 * @param <C> the configuration record
 */
public final class OptionTable<C> {
  private final Class<C> type;
  private final Map<String, Entry> entries = new LinkedHashMap<>();
  private final Map<String, String> names = new LinkedHashMap<>();

  private record Entry(OptionSpec spec, OptionType type, Function<Object, Object> getter) {}

  private OptionTable(Class<C> type) {
    this.type = type;
    collect(type, "", config -> config);
  }

  /**
   * The table of a record; throws IllegalArgumentException if a component has an unsupported type.
   */
  public static <C extends Record> OptionTable<C> of(Class<C> type) {
    return new OptionTable<>(type);
  }

  private void collect(Class<?> owner, String group, Function<Object, Object> path) {
    for (RecordComponent component : owner.getRecordComponents()) {
      Function<Object, Object> getter = config -> get(component, path.apply(config));
      Option option = component.getAnnotation(Option.class);
      if (option == null) {
        collect(component.getType(), component.getName(), getter);
      } else {
        add(component, option, group, getter);
      }
    }
  }

  private void add(
      RecordComponent component, Option option, String group, Function<Object, Object> getter) {
    boolean optional = component.getType() == Optional.class;
    OptionType optionType =
        OptionType.of(optional ? argument(component) : component.getGenericType());
    OptionSpec spec =
        new OptionSpec(
            snakeCase(component.getName()),
            List.of(option.aliases()),
            group,
            option.help(),
            option.value().isEmpty() ? Optional.empty() : Optional.of(option.value()),
            option.value().isEmpty() && !optional,
            optionType.label(),
            optionType.choices(),
            optionType.flag(),
            optionType.list(),
            option.stream());
    entries.put(spec.name(), new Entry(spec, optionType, getter));
    names.put(spec.name(), spec.name());
    spec.aliases().forEach(alias -> names.put(alias, spec.name()));
  }

  private static Type argument(RecordComponent component) {
    return ((ParameterizedType) component.getGenericType()).getActualTypeArguments()[0];
  }

  /** All options, in the order of their declaration. */
  public List<OptionSpec> options() {
    return entries.values().stream().map(Entry::spec).toList();
  }

  /** Every accepted name, aliases included. */
  public List<String> names() {
    return List.copyOf(names.keySet());
  }

  /** The main name of a name or alias; empty for an unknown name. */
  public Optional<String> canonicalName(String name) {
    return Optional.ofNullable(names.get(name));
  }

  /** Builds the record from values by option name, as {@link #read} does. */
  public C build(Map<String, ?> values) {
    Map<String, GivenValue> given = new LinkedHashMap<>();
    values.forEach((name, value) -> given.put(name, given(name, value)));
    return read(given);
  }

  /** The value of an option as text; a single path or number for a list is its one item. */
  public GivenValue given(String name, Object value) {
    return GivenValue.of(item(name, value));
  }

  /** A single path or number for a list is its only item, even if it contains commas. */
  private Object item(String name, Object value) {
    Entry entry = entries.get(names.getOrDefault(name, name));
    boolean single = !(value instanceof List<?>) && !(value instanceof String);
    return entry != null && entry.spec().list() && single ? List.of(value) : value;
  }

  /**
   * Builds the record from given values and the defaults of the others.
   *
   * @throws UsageException when names are unknown or required ones missing (all of them at once),
   *     or when a value breaks its rule
   */
  public C read(Map<String, GivenValue> given) {
    Map<String, GivenValue> values = new LinkedHashMap<>();
    List<String> unknown = new ArrayList<>();
    given.forEach(
        (name, value) -> {
          String known = names.get(name);
          if (known == null) {
            unknown.add(value.origin() + Suggestion.unknown(name, names.keySet()));
          } else if (values.put(known, value) != null) {
            throw new UsageException(known, "is given twice, under two names", "", "keep one")
                .at(value.origin());
          }
        });
    if (!unknown.isEmpty()) {
      throw new UsageException(String.join("\n", unknown));
    }
    List<String> missing = missing(values);
    if (!missing.isEmpty()) {
      throw new MissingOptionsException(missing);
    }
    return type.cast(construct(type, values));
  }

  private List<String> missing(Map<String, GivenValue> values) {
    return entries.values().stream()
        .map(Entry::spec)
        .filter(OptionSpec::required)
        .map(OptionSpec::name)
        .filter(name -> !values.containsKey(name))
        .toList();
  }

  private Object construct(Class<?> owner, Map<String, GivenValue> values) {
    RecordComponent[] components = owner.getRecordComponents();
    Object[] arguments = new Object[components.length];
    for (int i = 0; i < components.length; i++) {
      Entry entry = entries.get(snakeCase(components[i].getName()));
      boolean isOption = components[i].isAnnotationPresent(Option.class);
      arguments[i] =
          isOption && entry != null
              ? value(entry, values, components[i].getType() == Optional.class)
              : construct(components[i].getType(), values);
    }
    try {
      Class<?>[] types =
          Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new);
      Constructor<?> constructor = owner.getDeclaredConstructor(types);
      return constructor.newInstance(arguments);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof UsageException cause) {
        throw placed(cause, values);
      }
      throw new IllegalStateException(e.getCause());
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Object value(Entry entry, Map<String, GivenValue> values, boolean optional) {
    GivenValue given = values.get(entry.spec().name());
    boolean unset = given == null || (given.none() && !isOwnWord(entry, given));
    if (unset && optional) {
      return Optional.empty();
    }
    String text =
        unset || given == null
            ? entry.spec().defaultText().orElseThrow()
            : isText(entry) ? given.text() : given.text().strip();
    try {
      requireNoStream(entry.spec(), given == null ? "" : given.origin(), text);
      Object value = entry.type().read(text);
      return optional ? Optional.of(value) : value;
    } catch (InvalidPathException e) {
      throw new UsageException(
              entry.spec().name(),
              "must be a path that this system can write",
              "was %s: %s".formatted(text, e.getReason()),
              "if it holds letters beyond ASCII, start with LC_ALL=C.UTF-8 in the environment",
              e)
          .at(given == null ? "" : given.origin());
    } catch (UnreadableItemsException e) {
      String label = entry.spec().label().replaceFirst(",\\.\\.\\.$", "");
      throw new UsageException(
              entry.spec().name(),
              "must have a value, or a list of values, for each name",
              "%s has %s".formatted(e.name(), e.found()),
              "write %s: %s, or leave %s out".formatted(e.name(), label, e.name()),
              e)
          .at(given == null ? "" : given.origin());
    } catch (IllegalArgumentException | ArithmeticException e) {
      throw new UsageException(
              entry.spec().name(),
              "must be " + entry.type().rule(),
              "was " + (text.isEmpty() ? "empty" : text),
              Suggestion.choice(text, entry.spec().choices())
                  .map("did you mean %s?"::formatted)
                  .or(() -> entry.spec().defaultText().map("the default is %s"::formatted))
                  .orElse(""),
              e)
          .at(given == null ? "" : given.origin());
    }
  }

  private static void requireNoStream(OptionSpec option, String origin, String text) {
    boolean path = option.label().startsWith("PATH");
    if (path && !option.stream() && OptionType.items(text).anyMatch("-"::equals)) {
      throw new UsageException(
              option.name(),
              "must be a path",
              "was -, the standard stream, which cannot be used here",
              "name a file or a folder")
          .at(origin);
    }
  }

  /** Whether "none" or an empty text is a value of this option rather than "not set". */
  private static boolean isOwnWord(Entry entry, GivenValue given) {
    return entry.spec().required()
        || isText(entry)
        || entry.spec().choices().contains(given.text());
  }

  /** Whether white space around the value is significant. */
  private static boolean isText(Entry entry) {
    return entry.spec().label().equals("TEXT");
  }

  /** Adds file and line to a failure about an option whose value came from a file. */
  private UsageException placed(UsageException cause, Map<String, GivenValue> values) {
    GivenValue given = values.get(cause.option());
    return given == null ? cause : cause.at(given.origin());
  }

  /** The record as option names and values in declaration order, without unset options. */
  public Map<String, Object> write(C config) {
    Map<String, Object> values = new LinkedHashMap<>();
    entries.forEach(
        (name, entry) -> {
          Object value = entry.getter().apply(config);
          if (value instanceof Optional<?> optional) {
            optional.ifPresent(present -> values.put(name, plain(present)));
          } else {
            values.put(name, plain(value));
          }
        });
    return values;
  }

  /** Numbers and booleans as they are, other values as text, as YAML and JSON represent them. */
  private static Object plain(Object value) {
    if (value instanceof StepInterval interval) {
      return plain(interval.value());
    }
    if (value instanceof List<?> list) {
      return list.stream().map(OptionTable::plain).toList();
    }
    if (value instanceof Map<?, ?>) {
      return value;
    }
    if (value instanceof Double number && number == Math.rint(number) && Math.abs(number) < 1e15) {
      return number.longValue();
    }
    return value instanceof Number || value instanceof Boolean ? value : OptionType.text(value);
  }

  /** The record with one option changed. */
  public C with(C config, String option, Object value) {
    Map<String, Object> values = write(config);
    values.put(names.getOrDefault(option, option), value);
    return build(values);
  }

  /** The record with one option as if it were not given. */
  public C without(C config, String option) {
    Map<String, Object> values = write(config);
    values.remove(names.getOrDefault(option, option));
    return build(values);
  }

  private static Object get(RecordComponent component, Object owner) {
    try {
      return component.getAccessor().invoke(owner);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  /** {@code adamBeta1} to {@code adam_beta1}. */
  static String snakeCase(String name) {
    return name.replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
  }
}
