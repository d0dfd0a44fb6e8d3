package org.dpo4j.report;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.dpo4j.EvaluationReport;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.data.FileFailure;
import org.jspecify.annotations.Nullable;

/** A file with a record for each entry of {@code log_history}, appended while the run lives. */
public final class MetricsFile implements TrainingListener {

  /** The bytes of a file. */
  interface Format {
    /** Those before the first entry. */
    byte[] head();

    /** Those of an entry; none if the format leaves it out. */
    byte[] entry(Map<String, Number> entry);
  }

  private static final Format JSON_LINES =
      new Format() {
        @Override
        public byte[] head() {
          return new byte[0];
        }

        @Override
        public byte[] entry(Map<String, Number> entry) {
          return (JsonFile.line(entry) + "\n").getBytes(StandardCharsets.UTF_8);
        }
      };

  private final RunHistory history;
  private final Consumer<String> warn;
  private final Format format;
  private @Nullable Path file;

  private MetricsFile(RunHistory history, Consumer<String> warn, Format format) {
    this.history = history;
    this.warn = warn;
    this.format = format;
  }

  /**
   * {@code metrics.jsonl}: a JSON object on each line. Writes nothing before {@link #begin}.
   *
   * @param history receives each event before this listener
   * @param warn receives a message if a record cannot be written; training goes on without the file
   */
  public static MetricsFile jsonLines(RunHistory history, Consumer<String> warn) {
    return new MetricsFile(history, warn, JSON_LINES);
  }

  /**
   * An event file of TensorBoard, with the tags of transformers' {@code TensorBoardCallback}.
   * Writes nothing before {@link #begin}.
   *
   * @param history receives each event before this listener
   * @param warn receives a message if a record cannot be written; training goes on without the file
   * @param options of the run as text, read when the file begins
   */
  public static MetricsFile tensorBoard(
      RunHistory history, Consumer<String> warn, Supplier<String> options) {
    return new MetricsFile(history, warn, new TensorBoardEvents(options));
  }

  /**
   * Writes the entries that a continued run already has; a new run has none.
   *
   * @param path replaced if it exists
   */
  public void begin(Path path) {
    file = path;
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.writeBytes(format.head());
    history.log().forEach(entry -> bytes.writeBytes(format.entry(entry)));
    write(
        bytes.toByteArray(),
        StandardOpenOption.CREATE,
        StandardOpenOption.TRUNCATE_EXISTING,
        StandardOpenOption.WRITE);
  }

  @Override
  public void onReport(StepReport report, TrainingControl control) {
    appendLast();
  }

  @Override
  public void onEvaluation(EvaluationReport report, TrainingControl control) {
    appendLast();
  }

  /** Appends the last entry of the history. */
  public void appendLast() {
    List<Map<String, Number>> log = history.log();
    write(
        format.entry(log.get(log.size() - 1)),
        StandardOpenOption.CREATE,
        StandardOpenOption.APPEND);
  }

  private void write(byte[] bytes, OpenOption... options) {
    Path path = file;
    if (path == null) {
      return;
    }
    try {
      Files.write(path, bytes, options);
    } catch (IOException e) {
      file = null;
      warn.accept(
          "%s could not be written (%s) and ends here; trainer_state.json will have all entries"
              .formatted(path, FileFailure.reason(e)));
    }
  }
}
