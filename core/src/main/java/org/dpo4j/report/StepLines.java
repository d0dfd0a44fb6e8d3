package org.dpo4j.report;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.dpo4j.data.FileFailure;
import org.jspecify.annotations.Nullable;

/**
 * A file of JSON objects that begin with their {@code step}, one on each line, appended while a run
 * lives. A continued run keeps those of the steps before it, since no checkpoint has them.
 */
final class StepLines {

  private static final Pattern STEP = Pattern.compile("\\{\"step\":(\\d{1,9}),");

  private final Consumer<String> warn;
  private @Nullable Path file;

  /**
   * A file that writes nothing before {@link #begin}.
   *
   * @param warn receives a message if a line cannot be written; the run goes on without the file
   */
  StepLines(Consumer<String> warn) {
    this.warn = warn;
  }

  /**
   * Starts the file.
   *
   * @param path replaced if it exists
   * @param step that a continued run starts from; 0 for a new run
   * @param head whether a line without a step is one of {@code first}, also of an earlier run
   * @param first lines without a step, which are added unless they are there
   */
  void begin(Path path, int step, Predicate<String> head, List<String> first) {
    file = path;
    write(
        () -> {
          Path fresh = path.resolveSibling(".dpo4j-" + path.getFileName());
          List<String> lines = new ArrayList<>(step == 0 ? List.of() : earlier(path, step, head));
          first.stream().filter(line -> !lines.contains(line)).forEach(lines::add);
          Files.write(fresh, lines);
          Files.move(fresh, path, StandardCopyOption.REPLACE_EXISTING);
        });
  }

  private static List<String> earlier(Path path, int step, Predicate<String> head)
      throws IOException {
    if (!Files.exists(path)) {
      return List.of();
    }
    try (Stream<String> lines = Files.lines(path)) {
      return lines
          .filter(
              line -> {
                Matcher matcher = STEP.matcher(line);
                return line.endsWith("}") // else the process died while it wrote
                    && (head.test(line)
                        || (matcher.lookingAt() && Integer.parseInt(matcher.group(1)) <= step));
              })
          .toList();
    }
  }

  /** Whether lines are written: it has begun, and no write failed. */
  boolean isOpen() {
    return file != null;
  }

  /** Appends whole lines. */
  void append(CharSequence lines) {
    Path path = file;
    if (path != null) {
      write(
          () ->
              Files.write(
                  path,
                  lines.toString().getBytes(StandardCharsets.UTF_8),
                  StandardOpenOption.CREATE,
                  StandardOpenOption.APPEND));
    }
  }

  private interface Writing {
    void run() throws IOException;
  }

  private void write(Writing writing) {
    try {
      writing.run();
    } catch (IOException e) {
      warn.accept(
          "%s could not be written (%s) and ends here; the run goes on without it"
              .formatted(file, FileFailure.reason(e)));
      file = null;
    }
  }
}
