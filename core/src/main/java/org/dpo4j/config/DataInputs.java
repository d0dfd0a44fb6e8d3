package org.dpo4j.config;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.dpo4j.UsageException;
import org.dpo4j.data.ColumnMapping;
import org.dpo4j.data.DataEntry;
import org.dpo4j.data.DataFile;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.RowFormat;
import org.dpo4j.options.ReadableFile;
import org.dpo4j.options.Suggestion;

/** Resolves the options about data to the files that are read. */
public final class DataInputs {
  private DataInputs() {}

  /**
   * Finds the files of an option.
   *
   * @throws UsageException if one does not exist or is named twice
   */
  static DataInput of(
      String option, List<Path> paths, Optional<List<String>> columns, RowFormat format) {
    List<DataEntry> entries = new ArrayList<>();
    Map<Path, Path> seen = new HashMap<>();
    for (Path path : paths) {
      InputPaths.requireData(option, path);
      DataEntry entry = DataEntry.of(option, path);
      for (DataFile file : entry.files()) {
        ReadableFile.require(option, file.path());
        Path other = seen.put(file.path().toAbsolutePath().normalize(), path);
        if (other != null) {
          throw new UsageException(
              option,
              "must name each file once",
              "%s is in %s and in %s".formatted(file.path(), other, path),
              "leave one out");
        }
      }
      entries.add(entry);
    }
    return new DataInput(entries, columns(columns), format);
  }

  /** All files; none for rows in memory. */
  public static List<Path> files(DataInput input) {
    return input.entries().stream()
        .flatMap(entry -> entry.files().stream())
        .filter(file -> file.rows() == null)
        .map(DataFile::path)
        .toList();
  }

  /**
   * Paths that a run must not write to: the files, and folders whose new files the next run would
   * read.
   */
  public static List<Path> inputs(DataInput input) {
    List<Path> inputs = new ArrayList<>(files(input));
    input.entries().stream().map(DataEntry::path).filter(Files::isDirectory).forEach(inputs::add);
    return inputs;
  }

  /**
   * The option {@code columns}: items NAME=COLUMN.
   *
   * @throws UsageException if an item has another form, or a name or a column occurs twice
   */
  public static ColumnMapping columns(Optional<List<String>> items) {
    Map<String, String> sources = new LinkedHashMap<>();
    Set<String> used = new HashSet<>();
    for (String item : items.orElse(List.of())) {
      String[] parts = item.split("=", 2);
      String name = parts[0].strip();
      String source = parts.length == 2 ? parts[1].strip() : "";
      OptionChecks.require(
          !name.isEmpty() && !source.isEmpty(),
          "columns",
          "a list of NAME=COLUMN",
          item,
          "for example prompt=question,chosen=good,rejected=bad");
      if (!ColumnMapping.NAMES.contains(name)) {
        throw new UsageException(
            "columns",
            "%s: %s is no column here".formatted(item, name),
            "",
            ColumnMapping.NAMES.contains(source)
                ? "write %s=%s, the name here first".formatted(source, name)
                : Suggestion.nearest(name, ColumnMapping.NAMES)
                    .map("did you mean %s?"::formatted)
                    .orElse("there are " + String.join(", ", ColumnMapping.NAMES)));
      }
      if (sources.put(name, source) != null || !used.add(source)) {
        throw new UsageException(
            "columns",
            "must name each column once on either side",
            "%s repeats one".formatted(item),
            "keep one");
      }
    }
    return sources.isEmpty() ? ColumnMapping.NONE : new ColumnMapping(sources);
  }
}
