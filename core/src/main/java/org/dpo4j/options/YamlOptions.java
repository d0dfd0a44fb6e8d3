package org.dpo4j.options;

import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.ConstructNode;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Compose;
import org.snakeyaml.engine.v2.api.lowlevel.Parse;
import org.snakeyaml.engine.v2.events.CollectionEndEvent;
import org.snakeyaml.engine.v2.events.CollectionStartEvent;
import org.snakeyaml.engine.v2.events.Event;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.nodes.CollectionNode;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.NodeTuple;
import org.snakeyaml.engine.v2.nodes.ScalarNode;
import org.snakeyaml.engine.v2.nodes.SequenceNode;
import org.snakeyaml.engine.v2.nodes.Tag;
import org.snakeyaml.engine.v2.resolver.ScalarResolver;
import org.snakeyaml.engine.v2.schema.Schema;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.dataformat.yaml.YAMLMapper;
import tools.jackson.dataformat.yaml.YAMLWriteFeature;

/** Options in YAML files: one key per option. */
public final class YamlOptions {
  private static final YAMLMapper MAPPER =
      YAMLMapper.builder()
          .disable(YAMLWriteFeature.WRITE_DOC_START_MARKER)
          .enable(YAMLWriteFeature.MINIMIZE_QUOTES)
          .enable(YAMLWriteFeature.ALWAYS_QUOTE_NUMBERS_AS_STRINGS)
          .build();

  /** Supported tags, all of which PyYAML's safe loader supports. */
  private static final Set<Tag> PLAIN =
      Set.of(Tag.STR, Tag.INT, Tag.FLOAT, Tag.BOOL, Tag.NULL, Tag.SEQ, Tag.MAP);

  /** Tags numbers that YAML 1.1 parsers, such as PyYAML, read in a base other than 10. */
  private static final Tag OTHER_BASE = new Tag("number of another base");

  private static final Pattern NULL = Pattern.compile("~|null|Null|NULL|");

  /** YAML 1.1's octal numbers such as 010, and numbers in base 60 such as 1:30. */
  private static final Pattern OCTAL_OR_SEXAGESIMAL =
      Pattern.compile(
          "[-+]?0[0-7_]+"
              + "|[-+]?[1-9][0-9_]*(:[0-5]?[0-9])++" // possessive: no recursion
              + "|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])++\\.[0-9_]*");

  /** What follows a name in a mapping. */
  private static final Pattern COLON = Pattern.compile(":[\\s,}\"'\\[{]");

  /** What needs no quotes in braces. */
  private static final Pattern WORD = Pattern.compile("\\w[\\w./-]*");

  private static final Pattern FLOW_SYNTAX = Pattern.compile("[,\\[\\]{}#&*!|>'\"%@`:\\n]");

  /** Digits of a number in another base that a message converts. */
  private static final int MOST_DIGITS = 100;

  /** Nesting of lists and mappings. */
  static final int DEPTH = 50;

  /** Nodes that are read, those of an alias each time. */
  static final int NODES = 100_000;

  /** Characters of one value, those of an alias each time. */
  static final int VALUE = 1 << 20;

  private static final LoadSettings SETTINGS =
      LoadSettings.builder()
          .setSchema(new AsWritten())
          .setAllowDuplicateKeys(true)
          .setAllowNonScalarKeys(true)
          .setCodePointLimit(Limit.YAML_BYTES.length())
          .build();

  private final String file;
  private final Set<Node> around = new HashSet<>();
  private int nodes;

  private YamlOptions(String file) {
    this.file = file;
  }

  /** Keeps scalars as written: the option's type interprets them. */
  private static final class AsWritten implements Schema {
    @Override
    public ScalarResolver getScalarResolver() {
      return (value, implicit) ->
          !implicit
              ? Tag.STR
              : NULL.matcher(value).matches()
                  ? Tag.NULL
                  : OCTAL_OR_SEXAGESIMAL.matcher(value).matches() ? OTHER_BASE : Tag.STR;
    }

    @Override
    public Map<Tag, ConstructNode> getSchemaTagConstructors() {
      return Map.of(); // values are read from the nodes, not constructed
    }
  }

  /**
   * Reads a YAML file as PyYAML's safe loader does, anchors, aliases and merge keys included.
   * Values are kept as written and interpreted by their option's type, as for {@code 1e-6} and
   * {@code no}; each keeps its file and line.
   *
   * @throws UsageException if the file is missing, is not a YAML mapping or has a duplicate key, or
   *     if PyYAML would read a value differently
   */
  public static Map<String, GivenValue> read(Path file) {
    ReadableFile.require("config", file);
    return read(file.toString(), text(file));
  }

  /** Reads the mapping that is the value of an option, in YAML's flow style or as JSON. */
  public static Map<String, GivenValue> mapping(String option, GivenValue value) {
    Map<String, GivenValue> values = new LinkedHashMap<>();
    read(value.origin() + OptionText.of("{%s}", option), value.text())
        .forEach((name, item) -> values.put(name, new GivenValue(item.text(), value.origin())));
    return values;
  }

  /**
   * The values of a mapping in YAML's flow style or in JSON: Boolean, Long, Double, String, List,
   * Map or null. Names are sorted.
   *
   * @throws UsageException if the text is no mapping
   */
  static Map<String, @Nullable Object> values(String text) {
    return compose("mapping", text)
        .map(mapping -> new YamlOptions("mapping").values(mapping))
        .orElseGet(Map::of);
  }

  /**
   * The items NAME=VALUE of a mapping of names to values or lists of values, in its order.
   *
   * @return empty if the text is something else
   * @throws UnreadableItemsException if a name has no value, or a nested one
   */
  static Optional<List<String>> items(String text) {
    Optional<MappingNode> mapping;
    try {
      mapping = compose("mapping", text);
    } catch (UsageException e) {
      return Optional.empty(); // a pattern such as {a,b}.jsonl{,.gz}
    }
    List<NodeTuple> tuples = mapping.map(MappingNode::getValue).orElse(List.of());
    if (tuples.isEmpty() || !COLON.matcher(text).find()) {
      return Optional.empty(); // the pattern {a.jsonl,b.jsonl}
    }
    List<String> items = new ArrayList<>();
    for (NodeTuple tuple : tuples) {
      if (!(tuple.getKeyNode() instanceof ScalarNode name)) {
        return Optional.empty();
      }
      List<Node> values =
          tuple.getValueNode() instanceof SequenceNode list
              ? list.getValue()
              : List.of(tuple.getValueNode());
      if (values.isEmpty()) {
        throw new UnreadableItemsException(name.getValue(), "an empty list");
      }
      for (Node value : values) {
        items.add(name.getValue() + "=" + item(name.getValue(), value));
      }
    }
    return Optional.of(items);
  }

  private static String item(String name, Node value) {
    if (!(value instanceof ScalarNode scalar)) {
      throw new UnreadableItemsException(
          name, value instanceof MappingNode ? "a mapping" : "a list in a list");
    }
    if (scalar.getTag().equals(Tag.NULL) || scalar.getValue().isBlank()) {
      throw new UnreadableItemsException(name, "no value");
    }
    return scalar.getValue();
  }

  private Map<String, @Nullable Object> values(MappingNode mapping) {
    entries(mapping, node -> ""); // refuses what is no mapping of names
    Map<String, @Nullable Object> values = new TreeMap<>();
    for (NodeTuple tuple : mapping.getValue()) {
      String name = ((ScalarNode) tuple.getKeyNode()).getValue();
      Object value = plain(tuple.getValueNode());
      if (value == null && name.contains(":")) {
        throw new UsageException(
            name + " needs a space behind its colon, or quotes around its name");
      }
      values.put(name, value);
    }
    return Collections.unmodifiableMap(values);
  }

  private @Nullable Object plain(Node node) {
    if (node instanceof CollectionNode<?>) {
      enter(node);
      Object values =
          node instanceof MappingNode mapping ? values(mapping) : list((SequenceNode) node);
      around.remove(node);
      return values;
    }
    String text = value(node);
    return node.getTag().equals(Tag.NULL)
        ? null
        : ((ScalarNode) node).isPlain() ? OptionType.scalar(text) : text;
  }

  private List<@Nullable Object> list(SequenceNode node) {
    List<@Nullable Object> values = new ArrayList<>();
    node.getValue().forEach(value -> values.add(plain(value)));
    return Collections.unmodifiableList(values);
  }

  private static Map<String, GivenValue> read(String file, String text) {
    return compose(file, text)
        .map(
            mapping -> {
              YamlOptions options = new YamlOptions(file);
              return options.entries(mapping, options::value);
            })
        .orElseGet(LinkedHashMap::new);
  }

  /** The mapping that a text is; empty for no text. */
  private static Optional<MappingNode> compose(String file, String text) {
    try {
      requireFlat(file, text);
      List<Node> documents = new ArrayList<>();
      new Compose(SETTINGS).composeAllFromString(text).forEach(documents::add);
      if (documents.size() > 1) {
        throw new UsageException(
            "%sa configuration must be one YAML document but another begins here; keep one"
                .formatted(place(file, documents.get(1))));
      }
      if (documents.isEmpty() || documents.get(0).getTag().equals(Tag.NULL)) {
        return Optional.empty();
      }
      if (documents.get(0) instanceof MappingNode mapping) {
        return Optional.of(mapping);
      }
      throw new UsageException(
          "%sa configuration must be a mapping of option names to values but was something else;"
                  .formatted(place(file, documents.get(0)))
              + " write one \"name: value\" on each line");
    } catch (MarkedYamlEngineException e) {
      int line = e.getProblemMark().or(e::getContextMark).map(mark -> mark.getLine() + 1).orElse(1);
      throw invalid(file + ":" + line, String.valueOf(e.getProblem()), e);
    } catch (YamlEngineException | IllegalArgumentException e) { // the latter of a blank tag
      throw invalid(file, String.valueOf(e.getMessage()), e);
    }
  }

  /** The nodes are composed by recursion, so the depth is checked on the events before. */
  private static void requireFlat(String file, String text) {
    int depth = 0;
    for (Event event : new Parse(SETTINGS).parseString(text)) {
      if (event instanceof CollectionStartEvent && ++depth > DEPTH) {
        throw new UsageException(
            "%s:%d: lists and mappings must nest at most %d deep but go deeper; a configuration has one level"
                .formatted(file, event.getStartMark().map(m -> m.getLine() + 1).orElse(1), DEPTH));
      }
      depth -= event instanceof CollectionEndEvent ? 1 : 0;
    }
  }

  private static UsageException invalid(String place, String reason, RuntimeException e) {
    return new UsageException(
        "%s: this is not valid YAML: %s; write \"name: value\" on each line"
            .formatted(place, reason.strip()),
        e);
  }

  /** {@code file:line: } of a node. */
  private static String place(String file, Node node) {
    return "%s:%d: ".formatted(file, node.getStartMark().map(mark -> mark.getLine() + 1).orElse(1));
  }

  private static String text(Path file) {
    try {
      return BoundedFile.text(file, Limit.YAML_BYTES);
    } catch (CharacterCodingException e) {
      throw new UsageException(
          "config", "must be a text file in UTF-8", "%s is not".formatted(file), "", e);
    } catch (IOException e) {
      throw new UsageException(
          "config",
          "must be a file that can be read",
          "was %s".formatted(file),
          "check the path",
          e);
    }
  }

  /** A mapping's own keys, then those of its merge keys that it lacks. */
  private Map<String, GivenValue> entries(MappingNode mapping, Function<Node, String> text) {
    Map<String, GivenValue> values = new LinkedHashMap<>();
    List<MappingNode> merged = new ArrayList<>();
    for (NodeTuple tuple : mapping.getValue()) {
      String origin = place(file, tuple.getKeyNode());
      if (!(tuple.getKeyNode() instanceof ScalarNode key)) {
        throw new UsageException(
            origin + "a key must be an option's name but was a list or a mapping");
      }
      if (key.isPlain() && key.getValue().equals("<<")) {
        merged.addAll(merged(tuple.getValueNode()));
        continue;
      }
      String value = text.apply(tuple.getValueNode());
      GivenValue previous = values.put(key.getValue(), new GivenValue(value, origin));
      if (previous != null) {
        throw new UsageException(
            "%s%s is given twice in this file, first at %s; keep one"
                .formatted(origin, key.getValue(), previous.origin().replaceAll(": $", "")));
      }
    }
    for (MappingNode other : merged) {
      enter(other);
      entries(other, text).forEach(values::putIfAbsent);
      around.remove(other);
    }
    return values;
  }

  private List<MappingNode> merged(Node value) {
    List<Node> items = value instanceof SequenceNode list ? list.getValue() : List.of(value);
    List<MappingNode> mappings = new ArrayList<>();
    for (Node item : items) {
      if (!(item instanceof MappingNode mapping)) {
        throw new UsageException(
            place(file, value)
                + "<< must name a mapping or a list of mappings, as in <<: *defaults, but is"
                + " something else");
      }
      mappings.add(mapping);
    }
    return mappings;
  }

  private void enter(Node node) {
    if (++nodes > NODES) {
      throw new UsageException(
          "%sa configuration must hold at most %,d values, those of an alias each time, but holds more"
              .formatted(place(file, node), NODES));
    }
    if (!around.add(node)) {
      throw new UsageException(place(file, node) + "an anchor must not hold an alias of itself");
    }
  }

  /** A scalar as written; a list joined by commas; a mapping in short form. */
  private String value(Node node) {
    if (node.getTag().equals(OTHER_BASE)) {
      String written = ((ScalarNode) node).getValue();
      throw new UsageException(
          "%s%s is %s to PyYAML and other readers of YAML 1.1; write that, or \"%s\" in quotes"
              .formatted(
                  place(file, node),
                  written,
                  written.length() > MOST_DIGITS ? "another number" : inBaseTen(written),
                  written));
    }
    if (!PLAIN.contains(node.getTag())) {
      throw new UsageException(
          "%sthe tag %s is not read; leave it out and write the value alone"
              .formatted(place(file, node), node.getTag()));
    }
    enter(node);
    String text;
    if (node instanceof SequenceNode list) {
      text = OptionType.joined(list.getValue().stream().map(this::value).toList());
    } else if (node instanceof MappingNode mapping) {
      text =
          entries(mapping, this::inFlow).entrySet().stream()
              .map(entry -> entry.getKey() + ": " + entry.getValue().text())
              .collect(Collectors.joining(", ", "{", "}"));
    } else {
      text = node.getTag().equals(Tag.NULL) ? "null" : ((ScalarNode) node).getValue();
    }
    if (text.length() > VALUE) {
      throw new UsageException(
          "%sa value must have at most %,d characters, those of an alias each time, but has more"
              .formatted(place(file, node), VALUE));
    }
    around.remove(node);
    return text;
  }

  /** A value inside braces: in quotes if it would end there or be read as something else. */
  private String inFlow(Node node) {
    if (node instanceof SequenceNode list) {
      enter(node);
      String items =
          list.getValue().stream().map(this::inFlow).collect(Collectors.joining(", ", "[", "]"));
      around.remove(node);
      return items;
    }
    String text = value(node);
    boolean plain =
        node instanceof MappingNode
            || (((ScalarNode) node).isPlain()
                ? !FLOW_SYNTAX.matcher(text).find()
                : WORD.matcher(text).matches()
                    && !NULL.matcher(text).matches()
                    && OptionType.scalar(text) instanceof String);
    return plain ? text : JsonMapper.shared().writeValueAsString(text);
  }

  /** The value of digits with a leading zero or colons in YAML 1.1. */
  private static BigDecimal inBaseTen(String written) {
    boolean negative = written.startsWith("-");
    String digits = written.replaceAll("[-+_]", "");
    BigDecimal value = BigDecimal.ZERO;
    if (digits.contains(":")) {
      for (String part : digits.split(":", -1)) {
        value = value.multiply(BigDecimal.valueOf(60)).add(new BigDecimal(part));
      }
    } else {
      value = new BigDecimal(new BigInteger(digits, 8));
    }
    return negative ? value.negate() : value;
  }

  /** The configuration as YAML text with a comment before each group; {@link #read} reads it. */
  public static <C extends Record> String write(OptionTable<C> table, C config) {
    Map<String, Object> values = table.write(config);
    Map<String, Map<String, Object>> groups = new LinkedHashMap<>();
    for (OptionSpec option : table.options()) {
      Object value = values.get(option.name());
      if (value != null) {
        groups
            .computeIfAbsent(option.group(), group -> new LinkedHashMap<>())
            .put(option.name(), value);
      }
    }
    StringBuilder text = new StringBuilder();
    groups.forEach(
        (group, options) -> {
          if (!group.isEmpty()) {
            text.append("# ").append(group).append('\n');
          }
          text.append(MAPPER.writeValueAsString(options));
        });
    return text.toString();
  }
}
