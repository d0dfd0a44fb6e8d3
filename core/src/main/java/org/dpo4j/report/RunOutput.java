package org.dpo4j.report;

import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.dpo4j.OptionText;

/**
 * Where a run prints. Text for people is printed as {@link SafeText}. Not safe for use by several
 * runs at once: each run has its own.
 */
public final class RunOutput {
  private final PrintStream data;
  private final PrintStream out;
  private final PrintStream err;
  private final Progress progress;
  private final UnaryOperator<String> style;
  private final boolean coloured;
  private final List<String> warnings = new ArrayList<>();

  /** For a Java program: messages name options without dashes. */
  public RunOutput(PrintStream out, PrintStream err, Progress progress) {
    this(out, err, progress, OptionText::plain);
  }

  /** Prints nothing; warnings are in {@link #warnings}. */
  public static RunOutput silent(Progress progress) {
    PrintStream nowhere =
        new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8);
    return new RunOutput(nowhere, nowhere, progress);
  }

  /**
   * @param out results: the header, one line for each logged step, scores
   * @param err notes and warnings
   * @param progress shows the progress of the run
   * @param style how messages name options: {@link OptionText#plain} or {@link OptionText#flags}
   */
  public RunOutput(
      PrintStream out, PrintStream err, Progress progress, UnaryOperator<String> style) {
    this(out, err, progress, style, false);
  }

  /**
   * As above.
   *
   * @param coloured whether {@code out} is a terminal that shows colours
   */
  public RunOutput(
      PrintStream out,
      PrintStream err,
      Progress progress,
      UnaryOperator<String> style,
      boolean coloured) {
    this.data = out;
    this.out = SafePrintStream.on(out);
    this.err = SafePrintStream.on(err);
    this.progress = progress;
    this.style = style;
    this.coloured = coloured;
  }

  /** The same streams for another run, which has no warnings yet. */
  public RunOutput ofAnotherRun() {
    return new RunOutput(data, err, progress, style, coloured);
  }

  /** As {@link #ofAnotherRun}, with its progress shown at another place too. */
  public RunOutput showing(Progress second) {
    Progress both =
        (task, done, total, note) -> {
          progress.update(task, done, total, note);
          second.update(task, done, total, note);
        };
    return new RunOutput(data, err, both, style, coloured);
  }

  /** As {@link #ofAnotherRun}, with everything on the error stream. */
  public RunOutput onErrorStream() {
    return new RunOutput(err, err, progress, style);
  }

  /** As {@link #ofAnotherRun}, for a run in whose messages an option has another name. */
  public RunOutput naming(String option, String name) {
    String from = OptionText.of("{%s}", option);
    String to = OptionText.of("{%s}", name);
    return new RunOutput(
        data, err, progress, text -> style.apply(text.replace(from, to)), coloured);
  }

  /** Standard output for people: the header, lines of steps, summaries. */
  public PrintStream out() {
    return out;
  }

  /** Whether {@link #print} shows colours. */
  public boolean coloured() {
    return coloured;
  }

  /** Prints a line on standard output for people, in colour where that is a terminal. */
  public void print(StyledLine line) {
    if (coloured && out instanceof SafePrintStream terminal) {
      terminal.printControls(line.inColour(style) + System.lineSeparator());
    } else {
      out.println(style.apply(line.text()));
    }
  }

  /** Standard output for programs: rows and answers, exactly as they are. */
  public PrintStream data() {
    return data;
  }

  /** Notes, warnings and, where standard output is data, text for people. */
  public PrintStream err() {
    return err;
  }

  public Progress progress() {
    return progress;
  }

  /** The text with its options named in this output's style. */
  public String styled(String text) {
    return style.apply(text);
  }

  /** Prints what a user may want to know but need not act on. */
  public void note(String text) {
    err.println("note: " + styled(text));
  }

  /**
   * Prints and stores a warning; a repeated text is ignored. At its end, a training run repeats the
   * warnings from before its first step. The model card lists all of them.
   *
   * @param text what differs and what to do about it, without the word "warning"
   */
  public void warn(String text) {
    String warning = styled(text);
    if (!warnings.contains(warning)) {
      warnings.add(warning);
      err.println("warning: " + warning);
    }
  }

  /** Adds the warnings of the run that this one continues, without printing them again. */
  public void restoreWarnings(List<String> earlier) {
    warnings.addAll(0, earlier.stream().filter(warning -> !warnings.contains(warning)).toList());
  }

  /** The warnings so far, in order. */
  public List<String> warnings() {
    return List.copyOf(warnings);
  }
}
