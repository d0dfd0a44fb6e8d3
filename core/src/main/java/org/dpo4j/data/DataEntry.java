package org.dpo4j.data;

import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dpo4j.UsageException;

/**
 * One entry of a list of data files, expanded: a file, the files of a folder, or the matches of a
 * pattern.
 *
 * @param path as the user wrote it
 * @param files at least one, sorted by name
 * @param notRead files of the folder that are skipped because their format is unknown
 */
public record DataEntry(Path path, List<DataFile> files, List<String> notRead) {
  private static final Pattern WILD = Pattern.compile("[*?\\[{]");

  public DataEntry {
    files = List.copyOf(files);
    notRead = List.copyOf(notRead);
  }

  /**
   * Finds the files. A folder contributes the visible files directly in it whose names end in a
   * known format; a pattern ({@code *}, {@code ?}, {@code [..]}, {@code {a,b}}, {@code **} for any
   * folders) all files that match.
   *
   * @param option the option's name, for messages
   * @throws UsageException if there is no file, or a file has an unknown format
   */
  public static DataEntry of(String option, Path path) {
    if (Files.isDirectory(path)) {
      return folder(option, path);
    }
    if (!Files.exists(path) && WILD.matcher(path.toString()).find()) {
      return pattern(option, path);
    }
    return new DataEntry(path, List.of(DataFile.of(path)), List.of());
  }

  private static DataEntry folder(String option, Path path) {
    List<Path> found;
    try (Stream<Path> children = Files.list(path)) {
      found = children.filter(child -> !name(child).startsWith(".")).sorted().toList();
    } catch (IOException e) {
      throw unreadable(option, path, e);
    }
    List<DataFile> files = new ArrayList<>();
    List<String> notRead = new ArrayList<>();
    for (Path child : found) {
      Optional<DataFile> file = Files.isDirectory(child) ? Optional.empty() : DataFile.named(child);
      file.ifPresentOrElse(
          files::add, () -> notRead.add(name(child) + (Files.isDirectory(child) ? "/" : "")));
    }
    if (files.isEmpty()) {
      throw new UsageException(
          option,
          "must be a folder with files of data",
          "%s holds %s"
              .formatted(path, notRead.isEmpty() ? "nothing" : "only " + ShortList.of(notRead, 12)),
          "name a folder, file or pattern with files named %s".formatted(DataFormat.endings()));
    }
    return new DataEntry(path, files, notRead);
  }

  private static DataEntry pattern(String option, Path path) {
    Path base = path.isAbsolute() ? Objects.requireNonNull(path.getRoot()) : Path.of("");
    int plain = 0;
    while (plain < path.getNameCount() - 1
        && !WILD.matcher(path.getName(plain).toString()).find()) {
      base = base.resolve(path.getName(plain));
      plain++;
    }
    int depth = path.toString().contains("**") ? Integer.MAX_VALUE : path.getNameCount() - plain;
    List<Path> found;
    try {
      PathMatcher matcher = FileSystems.getDefault().getPathMatcher("glob:" + path);
      if (!Files.isDirectory(base)) {
        found = List.of();
      } else {
        try (Stream<Path> below = Files.walk(base, depth)) {
          found = below.filter(matcher::matches).filter(Files::isRegularFile).sorted().toList();
        }
      }
    } catch (PatternSyntaxException e) {
      throw new UsageException(
          option,
          "must be a path or a pattern",
          "%s is neither: %s".formatted(path, e.getDescription()),
          "check its brackets",
          e);
    } catch (IOException | java.io.UncheckedIOException e) {
      throw unreadable(option, path, e);
    }
    if (found.isEmpty()) {
      throw new UsageException(
          option,
          "must match at least one file",
          "%s matches none%s"
              .formatted(path, Files.isDirectory(base) ? "" : ", for there is no folder " + base),
          "check the path");
    }
    return new DataEntry(path, found.stream().map(DataFile::of).toList(), List.of());
  }

  private static UsageException unreadable(String option, Path path, Exception e) {
    return new UsageException(
        option,
        "must lead to files that can be read",
        "%s does not: %s".formatted(path, e.getMessage()),
        "check the path",
        e);
  }

  private static String name(Path path) {
    return String.valueOf(path.getFileName());
  }

  /** The formats of the files, for messages. */
  public String formats() {
    return files.stream()
        .map(file -> file.format().toString())
        .distinct()
        .collect(Collectors.joining(" and "));
  }

  /** As in {@code a.csv (CSV)} and {@code data (3 files, Parquet)}. */
  @Override
  public String toString() {
    boolean itself = files.size() == 1 && files.get(0).path().equals(path);
    return itself
        ? "%s (%s)".formatted(path, formats())
        : "%s (%d %s, %s)"
            .formatted(path, files.size(), files.size() == 1 ? "file" : "files", formats());
  }
}
