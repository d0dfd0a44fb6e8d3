package org.dpo4j.run;

import java.nio.file.Path;

/** Names of paths. */
final class Paths {

  private Paths() {}

  /** The last name of a path, also where it is given as {@code .}. */
  static String name(Path path) {
    return String.valueOf(path.toAbsolutePath().normalize().getFileName());
  }
}
