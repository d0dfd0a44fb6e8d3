package org.dpo4j.fuzz;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.List;
import java.util.stream.Stream;

/** Valid files of the repository, from which fuzzing starts. */
final class Fixtures {
  /** Larger files make few inputs a second and hold nothing that smaller ones lack. */
  private static final long LARGEST = 48 << 10;

  private static final Path HOME =
      Path.of(System.getProperty("dpo4j.home", "..")).toAbsolutePath().normalize();

  private Fixtures() {}

  /** Small files of the core's test resources and the examples that match a pattern. */
  static List<Path> seeds(String glob) {
    return matching(glob).stream().filter(path -> path.toFile().length() <= LARGEST).toList();
  }

  private static List<Path> matching(String glob) {
    PathMatcher matcher = FileSystems.getDefault().getPathMatcher("glob:" + HOME + "/" + glob);
    try (Stream<Path> tests = Files.walk(HOME.resolve("core/src/test/resources"));
        Stream<Path> examples = Files.walk(HOME.resolve("examples"))) {
      return Stream.concat(tests, examples)
          .filter(matcher::matches)
          .filter(Files::isRegularFile)
          .sorted()
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** All files of a folder of the core's fixtures. */
  static List<Path> in(String folder) {
    return matching("core/src/test/resources/fixtures/" + folder + "/*");
  }
}
