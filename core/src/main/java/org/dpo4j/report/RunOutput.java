package org.dpo4j.report;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;

/** Where a run prints. Not safe for use by several runs at once: each run has its own. */
public final class RunOutput {
  private final PrintStream out;
  private final PrintStream err;
  private final Progress progress;
  private final List<String> warnings = new ArrayList<>();

  /**
   * @param out results: the header, one line for each logged step, scores
   * @param err notes and warnings
   * @param progress how far the run is
   */
  public RunOutput(PrintStream out, PrintStream err, Progress progress) {
    this.out = out;
    this.err = err;
    this.progress = progress;
  }

  public PrintStream out() {
    return out;
  }

  public PrintStream err() {
    return err;
  }

  public Progress progress() {
    return progress;
  }

  /** Prints what a user may want to know but need not act on. */
  public void note(String text) {
    err.println("note: " + text);
  }

  /**
   * Prints what differs from what a user would expect, and keeps it: a training run prints the
   * warnings from before its first step again at the end and writes all into the model card. The
   * same text counts once.
   *
   * @param text what differs and what to do about it, without the word "warning"
   */
  public void warn(String text) {
    if (!warnings.contains(text)) {
      warnings.add(text);
      err.println("warning: " + text);
    }
  }

  /** The warnings so far, in order. */
  public List<String> warnings() {
    return List.copyOf(warnings);
  }
}
