package org.dpo4j.options;

import java.nio.file.Path;
import java.util.Optional;

/**
 * A number of things, or the file that has them.
 *
 * @param count at least 0; 0 with a file
 * @param file empty for a number
 */
public record CountOrFile(int count, Optional<Path> file) {

  static final String RULE = "a whole number from 0, or a path";

  public CountOrFile {
    if (count < 0) {
      throw new IllegalArgumentException(RULE);
    }
  }

  /** A number; {@code ./3} is a file. */
  static CountOrFile of(String text) {
    return text.matches("[-+]?[\\d_.]+(?:[eE][-+]?\\d+)?")
        ? new CountOrFile((int) OptionType.of(int.class).read(text), Optional.empty())
        : new CountOrFile(0, Optional.of((Path) OptionType.of(Path.class).read(text)));
  }

  /** Whether it is the number 0. */
  public boolean isNone() {
    return count == 0 && file.isEmpty();
  }

  @Override
  public String toString() {
    return file.map(Path::toString).orElseGet(() -> Integer.toString(count));
  }
}
