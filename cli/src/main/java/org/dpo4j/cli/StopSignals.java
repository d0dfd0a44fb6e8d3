package org.dpo4j.cli;

import java.util.List;
import org.dpo4j.Cancellation;
import org.jspecify.annotations.Nullable;
import sun.misc.Signal;
import sun.misc.SignalHandler;

/**
 * Ctrl-C and the signals by which a system ends a process. The first one suspends the run, which
 * then saves a checkpoint after its step; the second one ends the process at once.
 */
final class StopSignals implements AutoCloseable {

  /** The exit code of a process that a signal ended is this plus the signal's number. */
  private static final int EXIT_BASE = 128;

  private static final List<String> NAMES = List.of("INT", "TERM", "HUP");

  private record Previous(Signal signal, SignalHandler handler) {}

  private final Console console;
  private final Cancellation cancellation;
  private final List<Previous> previous;
  private volatile @Nullable Signal received;

  private StopSignals(Console console, Cancellation cancellation) {
    this.console = console;
    this.cancellation = cancellation;
    this.previous = NAMES.stream().flatMap(name -> handle(name).stream()).toList();
  }

  /** Handles the signals until it is closed. */
  static StopSignals suspending(Cancellation cancellation, Console console) {
    return new StopSignals(console, cancellation);
  }

  private List<Previous> handle(String name) {
    try {
      Signal signal = new Signal(name);
      SignalHandler before = Signal.handle(signal, this::receive);
      if (before.equals(SignalHandler.SIG_IGN)) {
        Signal.handle(signal, before); // nohup, or a shell's background job
        return List.of();
      }
      return List.of(new Previous(signal, before));
    } catch (IllegalArgumentException e) {
      return List.of(); // no such signal on this system, or the JVM runs with -Xrs
    }
  }

  private synchronized void receive(Signal signal) {
    if (received != null) {
      System.exit(EXIT_BASE + signal.getNumber());
    }
    received = signal;
    cancellation.suspend();
    console
        .err()
        .println("stopping after this step, with a checkpoint; Ctrl-C again stops at once");
  }

  /** 0, or the exit code for the signal that was received. */
  int exitCode() {
    Signal signal = received;
    return signal == null ? 0 : EXIT_BASE + signal.getNumber();
  }

  @Override
  public void close() {
    previous.forEach(before -> Signal.handle(before.signal(), before.handler()));
  }
}
