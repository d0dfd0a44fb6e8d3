package org.dpo4j.run;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/** Paths in messages. */
final class Paths {

  private Paths() {}

  /** How to call dpo4j from the current folder, as far as that is known. */
  static String launcher() {
    return Files.isRegularFile(Path.of("dpo4j")) ? "./dpo4j" : "dpo4j";
  }

  /** Whether a text names a path, in whatever way. */
  static boolean names(String text, Path path) {
    try {
      Path named = Path.of(text).toAbsolutePath().normalize();
      return named.equals(path.toAbsolutePath().normalize());
    } catch (InvalidPathException e) {
      return false;
    }
  }

  /** The last name of a path, also where it is given as {@code .}. */
  static String name(Path path) {
    return String.valueOf(path.toAbsolutePath().normalize().getFileName());
  }
}
