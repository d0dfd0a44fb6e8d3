package org.dpo4j.cli;

import com.sun.jna.Function;
import com.sun.jna.Memory;
import com.sun.jna.NativeLong;
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

  private static final int USUAL_WIDTH = 80;

  /** Asks for the size of a terminal, on Linux. */
  private static final long TIOCGWINSZ = 0x5413;

  private static final int WINSIZE_BYTES = 8;

  /** The columns of a terminal; 80 where the system does not say. */
  static int width(int descriptor) {
    if (!Platform.isLinux()) {
      return USUAL_WIDTH;
    }
    try (Memory size = new Memory(WINSIZE_BYTES)) { // rows, columns and two more, of 16 bits each
      int failed =
          Function.getFunction("c", "ioctl")
              .invokeInt(new Object[] {descriptor, new NativeLong(TIOCGWINSZ), size});
      int columns = size.getShort(2);
      return failed == 0 && columns > 0 ? columns : USUAL_WIDTH;
    } catch (UnsatisfiedLinkError e) {
      return USUAL_WIDTH;
    }
  }
}
