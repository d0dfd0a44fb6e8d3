package org.dpo4j.fuzz;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The files that a target reads, in a temporary folder of their own. */
final class Scratch {
  private final Path folder;

  /** A folder with copies of fixtures, which the inputs stand among. */
  Scratch(List<Path> fixtures) {
    try {
      folder = Files.createTempDirectory("dpo4j-fuzz");
      for (Path fixture : fixtures) {
        Files.copy(fixture, path(String.valueOf(fixture.getFileName())));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Runtime.getRuntime().addShutdownHook(new Thread(this::remove));
  }

  /** A folder without other files. */
  Scratch() {
    this(List.of());
  }

  Path folder() {
    return folder;
  }

  Path path(String name) {
    return folder.resolve(name);
  }

  /** Replaces a file. */
  Path write(String name, byte[] bytes) {
    try {
      return Files.write(path(name), bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void remove() {
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
      Files.delete(folder);
    } catch (IOException e) {
      // A temporary folder that stays is no reason to fail.
    }
  }
}
