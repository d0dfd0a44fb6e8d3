package org.dpo4j.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.dpo4j.report.SafePrintStream;

/**
 * The streams of the command line: results on {@code out}, messages on {@code err}.
 *
 * @param out standard output, exact in files and pipes
 * @param err standard error
 * @param interactive whether {@code err} is a terminal, where a progress bar makes sense
 * @param coloured whether {@code out} is a terminal that shows colours
 */
record Console(PrintStream out, SafePrintStream err, boolean interactive, boolean coloured) {

  Console(PrintStream out, PrintStream err, boolean interactive) {
    this(out, SafePrintStream.on(err), interactive, false);
  }

  /** The process's own streams, in UTF-8 whatever the locale. */
  static Console system() {
    return of(
        new FileOutputStream(FileDescriptor.out),
        Terminal.isTerminal(1),
        new FileOutputStream(FileDescriptor.err),
        Terminal.isTerminal(2),
        System.getenv());
  }

  /**
   * Streams that are terminals, or files and pipes.
   *
   * @param environment in which {@code NO_COLOR} with any value turns colours off (no-color.org),
   *     and {@code TERM=dumb} says that there are none
   */
  static Console of(
      OutputStream out,
      boolean outIsTerminal,
      OutputStream err,
      boolean errIsTerminal,
      Map<String, String> environment) {
    PrintStream results = stream(out, outIsTerminal && errIsTerminal);
    return new Console(
        outIsTerminal ? SafePrintStream.on(results) : results,
        SafePrintStream.on(stream(err, errIsTerminal)),
        errIsTerminal,
        outIsTerminal
            && environment.getOrDefault("NO_COLOR", "").isEmpty()
            && !environment.getOrDefault("TERM", "").equals("dumb"));
  }

  private static PrintStream stream(OutputStream raw, boolean besideABar) {
    return new PrintStream(
        besideABar ? new BarClearingStream(raw) : raw, true, StandardCharsets.UTF_8);
  }
}
