package org.dpo4j.encode;

import java.nio.file.Path;

/**
 * The machine's resources that loading a data set may use.
 *
 * @param threads tokenizing threads, at least 1
 * @param folder the folder of the file with the encoded pairs, which has no name and takes about 4
 *     bytes per token
 */
public record EncodingResources(int threads, Path folder) {

  public EncodingResources {
    if (threads < 1) {
      throw new IllegalArgumentException("threads must be at least 1 but was " + threads);
    }
  }

  /** All cores, and the folder for temporary files. */
  public static EncodingResources ofMachine() {
    return new EncodingResources(threads(0), Path.of(System.getProperty("java.io.tmpdir", "/tmp")));
  }

  /** The value of the option {@code threads}, where 0 means one per core. */
  public static int threads(int option) {
    return option > 0 ? option : Runtime.getRuntime().availableProcessors();
  }
}
