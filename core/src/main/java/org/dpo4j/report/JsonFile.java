package org.dpo4j.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.util.DefaultIndenter;
import tools.jackson.core.util.DefaultPrettyPrinter;
import tools.jackson.core.util.Separators;
import tools.jackson.databind.ObjectWriter;
import tools.jackson.databind.json.JsonMapper;

/**
 * Writes JSON in the layout of Python's {@code json.dump(indent=n, sort_keys=True)}. NaN and
 * infinite numbers, which JSON lacks, become null.
 */
final class JsonFile {
  private static final JsonMapper JSON = new JsonMapper();

  private JsonFile() {}

  static void write(Path file, Map<String, ?> content, int indent) throws IOException {
    DefaultIndenter lines = new DefaultIndenter(" ".repeat(indent), "\n");
    Separators separators =
        Separators.createDefaultInstance()
            .withObjectNameValueSpacing(Separators.Spacing.AFTER)
            .withObjectEmptySeparator("")
            .withArrayEmptySeparator("");
    ObjectWriter writer =
        JSON.writer()
            .with(
                new DefaultPrettyPrinter(separators)
                    .withObjectIndenter(lines)
                    .withArrayIndenter(lines));
    Files.writeString(file, writer.writeValueAsString(plain(content)) + "\n");
  }

  /** An object on one line, in the order of its keys. */
  static String line(Map<String, ?> content) {
    Map<String, @Nullable Object> plain = new LinkedHashMap<>();
    content.forEach((name, value) -> plain.put(name, plain(value)));
    return JSON.writeValueAsString(plain);
  }

  /** A JSON string, which is also valid in YAML and Python. */
  static String quote(String text) {
    return JSON.writeValueAsString(text);
  }

  private static @Nullable Object plain(@Nullable Object value) {
    if (value instanceof Map<?, ?> map) {
      Map<String, @Nullable Object> sorted = new TreeMap<>();
      map.forEach((name, content) -> sorted.put(String.valueOf(name), plain(content)));
      return sorted;
    }
    if (value instanceof List<?> list) {
      List<@Nullable Object> items = new ArrayList<>();
      list.forEach(item -> items.add(plain(item)));
      return items;
    }
    if (value instanceof Double number && !Double.isFinite(number)) {
      return null;
    }
    return value;
  }
}
