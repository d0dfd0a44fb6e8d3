package org.dpo4j.fuzz;

import java.nio.file.Path;
import java.util.Optional;
import org.dpo4j.data.BadRowException;
import org.dpo4j.data.ExampleReader;
import org.dpo4j.data.Row;

/**
 * Reads pairs from a file of a given name.
 *
 * @param name decides the format
 */
record Rows(String name, Scratch scratch) {

  Rows(String name) {
    this(name, new Scratch());
  }

  /** Reads all rows; whether there was a good one. */
  boolean read(byte[] input) throws Exception {
    Path file = scratch.write(name, input);
    boolean[] good = new boolean[1];
    boolean whole =
        Refusal.orResult(
            () -> {
              try (ExampleReader reader = ExampleReader.open(file)) {
                for (Optional<Row> row = reader.next(); row.isPresent(); row = reader.next()) {
                  BadRowException problem = row.get().problem();
                  if (problem == null) {
                    good[0] = true;
                  } else {
                    Refusal.check(String.valueOf(problem.getMessage()));
                  }
                }
              }
            });
    return whole && good[0];
  }
}
