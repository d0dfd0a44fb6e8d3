package org.dpo4j.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/**
 * The streams of the command line: results on {@code out}, messages on {@code err}.
 *
 * @param out standard output
 * @param err standard error
 * @param interactive whether {@code err} is a terminal, where a progress bar makes sense
 */
record Console(PrintStream out, PrintStream err, boolean interactive) {

  /** The process's own streams, in UTF-8 whatever the locale. */
  static Console system() {
    boolean interactive = Terminal.isTerminal(2);
    return new Console(
        stream(FileDescriptor.out, interactive && Terminal.isTerminal(1)),
        stream(FileDescriptor.err, interactive),
        interactive);
  }

  private static PrintStream stream(FileDescriptor descriptor, boolean besideABar) {
    OutputStream raw = new FileOutputStream(descriptor);
    return new PrintStream(
        besideABar ? new BarClearingStream(raw) : raw, true, StandardCharsets.UTF_8);
  }
}
