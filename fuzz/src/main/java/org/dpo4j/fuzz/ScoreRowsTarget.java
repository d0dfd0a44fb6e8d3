package org.dpo4j.fuzz;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.dpo4j.data.ScoreRows;

/** Scores of completions. */
public final class ScoreRowsTarget {
  private static final Scratch SCRATCH = new Scratch();

  private ScoreRowsTarget() {}

  static byte[] seed() {
    return "{\"row\":1,\"scores\":[0,1.5]}\n{\"scores\":[-2e3,4]}\n"
        .getBytes(StandardCharsets.UTF_8);
  }

  /** Reads one input as scores of two completions a prompt; whether it was accepted. */
  public static boolean fuzz(byte[] input) throws Exception {
    Path file = SCRATCH.write("scores.jsonl", input);
    return Refusal.orResult(
        () -> {
          try (ScoreRows rows = ScoreRows.open(file)) {
            boolean more = true;
            while (more) {
              more = rows.next(2).isPresent();
            }
          }
        });
  }

  /** What Jazzer calls. */
  public static void fuzzerTestOneInput(byte[] input) throws Exception {
    fuzz(input);
  }
}
