package org.dpo4j.cli;

import com.sun.jna.Function;
import com.sun.jna.Platform;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Distinguishes terminals from files and pipes. */
final class Terminal {
  private Terminal() {}

  /**
   * Whether a file descriptor of this process is a terminal. {@link System#console()} is no
   * substitute: it includes stdin, and newer JDKs return a console for pipes as well.
   */
  static boolean isTerminal(int descriptor) {
    Path link = Path.of("/proc/self/fd/" + descriptor);
    if (Files.isSymbolicLink(link)) {
      // On Linux without a native call, which would take longer than the rest of the start.
      try {
        String target = Files.readSymbolicLink(link).toString();
        return target.startsWith("/dev/pts/")
            || target.startsWith("/dev/tty")
            || target.equals("/dev/console");
      } catch (IOException e) {
        return false;
      }
    }
    try {
      String library = Platform.isWindows() ? "msvcrt" : "c";
      String name = Platform.isWindows() ? "_isatty" : "isatty";
      return Function.getFunction(library, name).invokeInt(new Object[] {descriptor}) != 0;
    } catch (UnsatisfiedLinkError e) {
      return false;
    }
  }
}
