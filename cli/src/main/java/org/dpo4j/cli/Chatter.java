package org.dpo4j.cli;

import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import org.dpo4j.config.ChatConfig;
import org.dpo4j.report.RunOutput;
import org.dpo4j.run.ChatRun;
import org.jspecify.annotations.Nullable;

/** The person at the terminal, or the lines of a file or pipe. */
final class Chatter implements ChatRun.Person {

  private enum Answer {
    NONE,
    RUNS,
    STOPPED
  }

  private final Console console;
  private final boolean asksOnTerminal;
  private final boolean answersOnTerminal;
  private final BufferedReader lines =
      new BufferedReader(
          new InputStreamReader(new FileInputStream(FileDescriptor.in), StandardCharsets.UTF_8));
  private Answer answer = Answer.NONE; // guarded by this

  private Chatter(Console console) {
    this.console = console;
    this.asksOnTerminal = Terminal.isTerminal(0) && console.interactive();
    this.answersOnTerminal = Terminal.isTerminal(1);
  }

  /** Talks; Ctrl-C stops an answer, and without one the process. */
  static void run(ChatConfig config, RunOutput output, Console console) {
    Chatter chatter = new Chatter(console);
    try (StopSignals signals = StopSignals.interrupting(chatter::stop)) {
      ChatRun.run(config, chatter, output);
    }
  }

  private synchronized boolean stop() {
    boolean runs = answer == Answer.RUNS;
    answer = runs ? Answer.STOPPED : answer;
    return runs;
  }

  @Override
  public @Nullable String line(String prompt) throws IOException {
    if (asksOnTerminal) {
      console.err().printControls(prompt);
    }
    return lines.readLine();
  }

  @Override
  public int width() {
    return answersOnTerminal ? Terminal.width(1) : 0;
  }

  @Override
  public synchronized void answering() {
    answer = Answer.RUNS;
  }

  @Override
  public synchronized boolean stopped() {
    return answer == Answer.STOPPED;
  }

  @Override
  public synchronized void answered() {
    answer = Answer.NONE;
  }
}
