package org.dpo4j.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.dpo4j.DpoException;

/** Runs programs and waits for them. */
final class Tool {

  private static final int SHOWN_LINES = 12;
  private static final long LONGEST_HOURS = 4;

  /** A program said that it does not do what was asked (exit code 2). */
  static final class Refused extends Exception {
    private static final long serialVersionUID = 1L;

    Refused(String message) {
      super(message);
    }
  }

  private Tool() {}

  /**
   * Runs a command.
   *
   * @param log takes both streams
   * @return what it printed
   * @throws Refused if it ended with exit code 2
   * @throws DpoException if it failed in another way
   */
  static String run(List<String> command, Path log) throws IOException, Refused {
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile());
    Process process = builder.start();
    Thread killer = new Thread(process::destroy);
    Runtime.getRuntime().addShutdownHook(killer);
    try {
      if (!process.waitFor(LONGEST_HOURS, TimeUnit.HOURS)) {
        throw new DpoException("did not end: " + String.join(" ", command));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DpoException("interrupted", e);
    } finally {
      process.destroy();
      Runtime.getRuntime().removeShutdownHook(killer);
    }
    String printed = Files.readString(log);
    if (process.exitValue() == 2) {
      throw new Refused(printed.lines().findFirst().orElse("refused"));
    }
    if (process.exitValue() != 0) {
      List<String> lines = printed.lines().toList();
      throw new DpoException(
          "exit code %d of %s%n%s"
              .formatted(
                  process.exitValue(),
                  String.join(" ", command),
                  String.join(
                      System.lineSeparator(),
                      lines.subList(Math.max(0, lines.size() - SHOWN_LINES), lines.size()))));
    }
    return printed;
  }
}
