package org.dpo4j.cli;

import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.dpo4j.run.Progress;
import org.jspecify.annotations.Nullable;

/** A bar on standard error for one task after the other; nothing where that is no terminal. */
final class TerminalProgress implements Progress, AutoCloseable {

  private final Console console;
  private String task = "";
  private @Nullable ProgressBar bar;

  TerminalProgress(Console console) {
    this.console = console;
  }

  @Override
  public void update(String newTask, int done, int total, String note) {
    if (!console.interactive()) {
      return;
    }
    ProgressBar current = bar;
    if (current == null || !newTask.equals(task)) {
      close();
      current =
          new ProgressBarBuilder()
              .setTaskName(newTask)
              .setInitialMax(total)
              .setStyle(ProgressBarStyle.ASCII)
              .setConsumer(new ConsoleProgressBarConsumer(console.err()))
              .build();
      bar = current;
      task = newTask;
    }
    current.stepTo(done);
    current.setExtraMessage(note);
    if (done == total) {
      close();
    }
  }

  /** Ends the bar of the task under way. */
  @Override
  public void close() {
    if (bar != null) {
      bar.close();
      bar = null;
    }
  }
}
