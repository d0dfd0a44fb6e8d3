package org.dpo4j.parity;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;

/** The folder of recorded numbers and other people's files that are not part of the project. */
final class SharedFolder {

  private SharedFolder() {}

  /** A path below DPO4J_SHARED (environment or system property); fails where it is not there. */
  static Path resolve(String path) {
    String folder = System.getProperty("DPO4J_SHARED", System.getenv("DPO4J_SHARED"));
    assertThat(folder).as("DPO4J_SHARED").isNotNull();
    Path resolved = Path.of(folder).resolve(path);
    assertThat(Files.exists(resolved)).as(resolved.toString()).isTrue();
    return resolved;
  }
}
