package org.dpo4j.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.dpo4j.report.SafePrintStream;

/**
 * The streams of the command line: results on {@code out}, messages on {@code err}.
 *
 * @param out standard output, exact in files and pipes
 * @param err standard error
 * @param interactive whether {@code err} is a terminal, where a progress bar makes sense
 */
record Console(PrintStream out, SafePrintStream err, boolean interactive) {

  Console(PrintStream out, PrintStream err, boolean interactive) {
    this(out, SafePrintStream.on(err), interactive);
  }

  /** The process's own streams, in UTF-8 whatever the locale. */
  static Console system() {
    return of(
        new FileOutputStream(FileDescriptor.out),
        Terminal.isTerminal(1),
        new FileOutputStream(FileDescriptor.err),
        Terminal.isTerminal(2));
  }

  /** Streams that are terminals, or files and pipes. */
  static Console of(
      OutputStream out, boolean outIsTerminal, OutputStream err, boolean errIsTerminal) {
    PrintStream results = stream(out, outIsTerminal && errIsTerminal);
    return new Console(
        outIsTerminal ? SafePrintStream.on(results) : results,
        stream(err, errIsTerminal),
        errIsTerminal);
  }

  private static PrintStream stream(OutputStream raw, boolean besideABar) {
    return new PrintStream(
        besideABar ? new BarClearingStream(raw) : raw, true, StandardCharsets.UTF_8);
  }
}
