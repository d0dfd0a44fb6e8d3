package org.dpo4j.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.dpo4j.EvaluationReport;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.data.FileFailure;
import org.jspecify.annotations.Nullable;

/**
 * The file {@code metrics.jsonl}: one JSON object for each entry of {@code log_history}, appended
 * while the run lives.
 */
public final class MetricsFile implements TrainingListener {

  private final RunHistory history;
  private final Consumer<String> warn;
  private @Nullable Path file;

  /**
   * A listener that writes nothing before {@link #begin}.
   *
   * @param history receives each event before this listener
   * @param warn receives a message if a line cannot be written; training goes on without the file
   */
  public MetricsFile(RunHistory history, Consumer<String> warn) {
    this.history = history;
    this.warn = warn;
  }

  /** Writes the entries that a continued run already has; a new run has none. */
  public void begin(Path path) {
    file = path;
    StringBuilder text = new StringBuilder();
    history.log().forEach(entry -> text.append(JsonFile.line(entry)).append('\n'));
    write(
        text.toString(),
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
        JsonFile.line(log.get(log.size() - 1)) + "\n",
        StandardOpenOption.CREATE,
        StandardOpenOption.APPEND);
  }

  private void write(String text, OpenOption... options) {
    Path path = file;
    if (path == null) {
      return;
    }
    try {
      Files.writeString(path, text, options);
    } catch (IOException e) {
      file = null;
      warn.accept(
          "%s could not be written (%s) and ends here; trainer_state.json will have all entries"
              .formatted(path, FileFailure.reason(e)));
    }
  }
}
