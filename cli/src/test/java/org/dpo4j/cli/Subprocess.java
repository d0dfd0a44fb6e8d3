package org.dpo4j.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The command line in a process of its own, which a test can kill. */
final class Subprocess {

  private Subprocess() {}

  /**
   * Starts a command.
   *
   * @param log receives both streams, after what is in it
   * @param jvm options of the JVM
   * @param words command and options
   */
  static ProcessBuilder of(Path log, List<String> jvm, List<String> words) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-XX:TieredStopAtLevel=1");
    command.addAll(jvm);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
    command.addAll(words);
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()));
  }

  /** Starts a command with the JVM's usual options. */
  static Process start(Path log, List<String> words) throws IOException {
    return of(log, List.of(), words).start();
  }
}
