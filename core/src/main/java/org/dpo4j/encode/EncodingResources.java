package org.dpo4j.encode;

import java.nio.file.Path;

/**
 * What loading a data set may use of the machine.
 *
 * @param threads that tokenize, at least 1
 * @param folder where the encoded pairs are kept while they are used, in a file without a name;
 *     about 4 bytes for each token
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

  /** The option {@code threads}: 0 is one for each core. */
  public static int threads(int option) {
    return option > 0 ? option : Runtime.getRuntime().availableProcessors();
  }
}
