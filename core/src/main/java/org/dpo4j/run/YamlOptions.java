package org.dpo4j.run;

import java.io.IOException;
import java.nio.charset.MalformedInputException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dpo4j.UsageException;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.dataformat.yaml.YAMLMapper;
import tools.jackson.dataformat.yaml.YAMLWriteFeature;

/** Options as a YAML file: one key for each option, by its name. */
public final class YamlOptions {
  private static final YAMLMapper MAPPER =
      YAMLMapper.builder()
          .disable(YAMLWriteFeature.WRITE_DOC_START_MARKER)
          .enable(YAMLWriteFeature.MINIMIZE_QUOTES)
          .enable(YAMLWriteFeature.ALWAYS_QUOTE_NUMBERS_AS_STRINGS)
          .build();

  private static final Pattern PLACE = Pattern.compile(" in reader, line (\\d+), .*");

  private YamlOptions() {}

  /**
   * Reads a YAML file. Values stay as they are written, so {@code 1e-6} and {@code no} mean what
   * their option says; each keeps its file and line.
   *
   * @throws UsageException when the file is missing, is no YAML mapping, or has a key twice
   */
  public static Map<String, GivenValue> read(Path file) {
    InputPaths.requireFile("config", file);
    String text = text(file);
    Map<String, GivenValue> values = new LinkedHashMap<>();
    try (JsonParser parser = MAPPER.createParser(text)) {
      JsonToken first = parser.nextToken();
      if (first == null) {
        return values;
      }
      if (first != JsonToken.START_OBJECT) {
        throw new UsageException(
            "%s:1: a configuration must be a mapping of option names to values but was something"
                    .formatted(file)
                + " else; write one \"name: value\" on each line");
      }
      while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
        String name = parser.currentName();
        String origin = "%s:%d: ".formatted(file, parser.currentTokenLocation().getLineNr());
        parser.nextToken();
        GivenValue previous = values.put(name, new GivenValue(value(parser), origin));
        if (previous != null) {
          throw new UsageException(
              "%s%s is given twice in this file, first at %s; keep one"
                  .formatted(origin, name, previous.origin().replaceAll(": $", "")));
        }
      }
      if (parser.nextToken() != null) {
        throw new UsageException(
            "%s:%d: a configuration must be one YAML document but another begins here; keep one"
                .formatted(file, parser.currentTokenLocation().getLineNr()));
      }
      return values;
    } catch (JacksonException e) {
      throw invalid(file, e);
    }
  }

  /**
   * The parser first says where the thing began that it could not read, and last what broke it and
   * where.
   */
  private static UsageException invalid(Path file, JacksonException e) {
    String line = e.getLocation() == null ? "1" : "" + e.getLocation().getLineNr();
    String reason = "";
    for (String part : e.getOriginalMessage().lines().toList()) {
      Matcher place = PLACE.matcher(part);
      if (place.matches()) {
        line = place.group(1);
      } else if (!part.startsWith(" ")) {
        reason = part;
      }
    }
    return new UsageException(
        "%s:%s: this is not valid YAML: %s; write \"name: value\" on each line"
            .formatted(file, line, reason),
        e);
  }

  private static String text(Path file) {
    try {
      return Files.readString(file, StandardCharsets.UTF_8);
    } catch (MalformedInputException e) {
      throw new UsageException(
          "--config must be a text file in UTF-8 but %s is not".formatted(file), e);
    } catch (IOException e) {
      throw new UsageException(
          "--config must be a file that can be read but was %s; check the path".formatted(file), e);
    }
  }

  /** A scalar as written; a list joined by commas; a mapping in short form, to be refused later. */
  private static String value(JsonParser parser) {
    return switch (parser.currentToken()) {
      case START_ARRAY -> {
        List<String> items = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          items.add(value(parser));
        }
        yield OptionType.joined(items);
      }
      case START_OBJECT -> {
        List<String> items = new ArrayList<>();
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
          String key = parser.currentName();
          parser.nextToken();
          items.add(key + ": " + value(parser));
        }
        yield "{" + String.join(", ", items) + "}";
      }
      case VALUE_NULL -> "null";
      default -> parser.getString();
    };
  }

  /**
   * The configuration as YAML text with a comment before each group; {@link #read} takes it back.
   */
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
