package org.dpo4j.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dpo4j.UsageException;

/**
 * The items of the option {@code eval_file}: paths, which are evaluated together, or NAME=PATH,
 * where each name is a set of its own. A path that begins like a name is written with {@code ./}.
 */
public final class EvaluationFiles {

  private static final Pattern NAMED = Pattern.compile("([A-Za-z0-9_-]+)=(.+)");

  /**
   * What was meant as a name, right or wrong: no path begins so that is written with its folder.
   */
  private static final Pattern BEGINS_LIKE_NAMED = Pattern.compile("([^./\\\\=]*)=(.*)");

  private EvaluationFiles() {}

  /**
   * The paths of each set, in the order of their first items; the name is empty without names.
   *
   * @throws UsageException if some items have names and others have none, or a name or a path is
   *     not one
   */
  static Map<String, List<Path>> sets(List<Path> items) {
    Map<String, List<Path>> sets = new LinkedHashMap<>();
    for (Path item : items) {
      Matcher named = NAMED.matcher(item.toString());
      if (!named.matches()) {
        requireNoName(item);
      }
      sets.computeIfAbsent(named.matches() ? named.group(1) : "", name -> new ArrayList<>())
          .add(path(item));
    }
    List<Path> unnamed = sets.get("");
    if (unnamed != null && sets.size() > 1) {
      throw new UsageException(
          "eval_file",
          "must name all of its files or none",
          "%s has no name".formatted(unnamed.get(0)),
          "write NAME=FILE, or ./FILE for a path that holds =");
    }
    return sets;
  }

  private static void requireNoName(Path item) {
    Matcher begin = BEGINS_LIKE_NAMED.matcher(item.toString());
    if (begin.matches()) {
      throw new UsageException(
          "eval_file",
          "must be NAME=FILE with a name of letters, digits, _ and - where it names a set",
          "was %s, which has %s"
              .formatted(item, begin.group(2).isEmpty() ? "no file" : "another name"),
          "write short=FILE, or ./FILE for a path that holds =");
    }
  }

  /** The path of an item, without its name. */
  static Path path(Path item) {
    Matcher named = NAMED.matcher(item.toString());
    return named.matches() ? Path.of(named.group(2)) : item;
  }

  /** An item that means a path and nothing else, whatever characters it has. */
  public static Path unnamed(Path path) {
    return BEGINS_LIKE_NAMED.matcher(path.toString()).matches() ? Path.of(".").resolve(path) : path;
  }

  /**
   * An item of a set.
   *
   * @throws UsageException if the name has other characters than letters, digits, _ and -
   */
  public static Path named(String name, Path path) {
    Path item = Path.of(name + "=" + path);
    OptionChecks.require(
        NAMED.matcher(item.toString()).matches(),
        "eval_file",
        "named with letters, digits, _ and -",
        name,
        "for example short");
    return item;
  }
}
