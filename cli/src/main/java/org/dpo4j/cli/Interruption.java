package org.dpo4j.cli;

import java.io.PrintStream;
import java.nio.file.Path;

/**
 * Says one line when the process is stopped (Ctrl-C) while a run works. The JVM then ends with 130
 * by itself; what the run had begun to write is removed by the run's own shutdown hook.
 */
final class Interruption {
  private Interruption() {}

  /** Does the work; when the process is stopped meanwhile, says so and what was not written. */
  static void watch(PrintStream err, Path output, Runnable work) {
    Thread hook =
        new Thread(
            () ->
                err.println("interrupted; nothing was written unless this run said so: " + output),
            "interrupted");
    Runtime.getRuntime().addShutdownHook(hook);
    try {
      work.run();
    } finally {
      remove(hook);
    }
  }

  private static void remove(Thread hook) {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The process is being stopped: the line is on its way.
    }
  }
}
