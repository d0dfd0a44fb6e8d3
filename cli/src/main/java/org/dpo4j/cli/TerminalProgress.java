package org.dpo4j.cli;

import java.util.Locale;
import java.util.function.LongSupplier;
import org.dpo4j.report.Progress;
import org.dpo4j.report.SafeText;
import org.dpo4j.report.TimeText;

/**
 * Prints the progress of a task and its remaining time on standard error: as a bar on a terminal,
 * else as occasional lines for log files.
 */
final class TerminalProgress implements Progress, AutoCloseable {
  private static final int BAR = 24;
  private static final int WIDTH = 79;
  private static final double REDRAW_SECONDS = 0.1;
  private static final double FIRST_LINE_SECONDS = 20;
  private static final double LAST_LINE_SECONDS = 600;

  private final Console console;
  private final LongSupplier nanos;
  private String task = "";
  private long started;
  private int startedAt;
  private double due;
  private boolean shown;

  TerminalProgress(Console console) {
    this(console, System::nanoTime);
  }

  /**
   * @param nanos the clock, as {@link System#nanoTime}
   */
  TerminalProgress(Console console, LongSupplier nanos) {
    this.console = console;
    this.nanos = nanos;
  }

  @Override
  public void update(String newTask, int done, int total, String note) {
    if (done == 0 || !newTask.equals(task)) {
      close();
      task = newTask;
      started = nanos.getAsLong();
      startedAt = done;
      due = console.interactive() ? 0 : FIRST_LINE_SECONDS;
    }
    double seconds = (nanos.getAsLong() - started) / 1e9;
    if (done == total) {
      close();
    } else if (seconds >= due) {
      double left = done > startedAt ? seconds / (done - startedAt) * (total - done) : Double.NaN;
      if (console.interactive()) {
        due = seconds + REDRAW_SECONDS;
        draw(bar(done, total, left, note));
      } else {
        // A line whenever the elapsed time has grown by a tenth, so that long tasks do not fill the
        // log.
        due = seconds + Math.min(LAST_LINE_SECONDS, Math.max(FIRST_LINE_SECONDS, seconds / 10));
        console.err().println(line(done, total, left, note));
      }
    }
  }

  private String bar(int done, int total, double left, String note) {
    int filled = (int) ((long) BAR * done / total);
    return text(
        "%s [%s%s] %d/%d"
            .formatted(task, "=".repeat(filled), " ".repeat(BAR - filled), done, total),
        left,
        note);
  }

  private String line(int done, int total, double left, String note) {
    String share = String.format(Locale.ROOT, "%.0f %%", 100.0 * done / total);
    return text("%s: %d of %d (%s)".formatted(task, done, total, share), left, note);
  }

  private static String text(String start, double left, String note) {
    return start
        + (Double.isNaN(left) ? "" : ", %s left".formatted(TimeText.of(left)))
        + (note.isEmpty() ? "" : ", " + note);
  }

  /** Overwrites the last bar, within the width of a line: a wrapped line could not be cleared. */
  private void draw(String bar) {
    String safe = SafeText.line(bar);
    console
        .err()
        .printControls(BarClearingStream.bar(safe.substring(0, Math.min(WIDTH, safe.length()))));
    shown = true;
  }

  /** Clears the bar of the current task. */
  @Override
  public void close() {
    if (shown) {
      console.err().printControls(BarClearingStream.bar(""));
      shown = false;
    }
    task = "";
  }
}
