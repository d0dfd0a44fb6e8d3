package org.dpo4j.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/**
 * Where the command line speaks: results on {@code out}, all about them on {@code err}.
 *
 * @param out standard output
 * @param err standard error
 * @param interactive whether {@code err} is a terminal, where a progress bar makes sense
 */
record Console(PrintStream out, PrintStream err, boolean interactive) {

  /** The process's own streams, in UTF-8 whatever the locale. */
  static Console system() {
    boolean interactive = Terminal.isTerminal(2);
    OutputStream out = new FileOutputStream(FileDescriptor.out);
    if (interactive && Terminal.isTerminal(1)) {
      out = new BarClearingStream(out);
    }
    return new Console(
        new PrintStream(out, true, StandardCharsets.UTF_8),
        new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8),
        interactive);
  }
}
