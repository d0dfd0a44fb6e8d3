package org.dpo4j.spark;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.SparkFiles;
import org.apache.spark.TaskContext;

/**
 * The options of a run on the machine of a task: with paths that it sees, and its number of
 * threads. Equal options on one machine mean equal models.
 *
 * @param values by option name
 * @param files of the models, with size and time of change
 */
record NodeOptions(Map<String, Object> values, List<String> files) {

  private static final String THREADS = "threads";

  /** Options that name what is read to compute. */
  private static final List<String> PATHS =
      List.of("model", "adapter", "ref_model", "chat_template");

  /**
   * The options on this machine.
   *
   * @param options of the whole run
   */
  static NodeOptions of(Map<String, Object> options) {
    Map<String, Object> values = new LinkedHashMap<>(options);
    List<String> files = new ArrayList<>();
    for (String option : PATHS) {
      if (values.get(option) instanceof String path) {
        Path seen = seen(Path.of(path));
        values.put(option, seen.toString());
        files.addAll(files(seen));
      }
    }
    values.computeIfPresent(
        THREADS,
        (name, value) ->
            value instanceof Number number && number.intValue() == 0
                ? TaskContext.get().cpus()
                : value);
    return new NodeOptions(values, files);
  }

  /** The path, or what {@code SparkContext.addFile} has shipped under its name. */
  private static Path seen(Path path) {
    Path name = path.getFileName();
    if (Files.exists(path) || name == null) {
      return path;
    }
    Path shipped = Path.of(SparkFiles.get(name.toString()));
    return Files.exists(shipped) ? shipped : path;
  }

  private static List<String> files(Path path) {
    if (!Files.isDirectory(path)) {
      return Files.exists(path) ? List.of(stamp(path)) : List.of();
    }
    try (Stream<Path> files = Files.list(path)) {
      return files.sorted().map(NodeOptions::stamp).toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String stamp(Path file) {
    try {
      return "%s %d %s".formatted(file, Files.size(file), Files.getLastModifiedTime(file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The number of threads of a task. */
  int threads() {
    return values.get(THREADS) instanceof Number number ? number.intValue() : 1;
  }
}
