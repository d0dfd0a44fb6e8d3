package org.dpo4j.fuzz;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.dpo4j.data.SampledReader;

/** Sampled completions. */
public final class SampledRowsTarget {
  private static final Scratch SCRATCH = new Scratch();

  private SampledRowsTarget() {}

  /** A row as sample writes it, and one of another tool. */
  static List<byte[]> seeds() {
    return List.of(
        """
        {"prompt":[{"role":"user","content":"3 + 4"}],"file":"p.jsonl","row":1,"line":1,\
        "columns":{"answer":"7"},"completions":[{"text":"7","cumulative_logprob":-0.5,"tokens":2,\
        "finish_reason":"stop"}]}
        """
            .getBytes(StandardCharsets.UTF_8),
        "{\"prompt\":\"Why?\",\"completions\":[\"a\",\"b\"]}\n".getBytes(StandardCharsets.UTF_8));
  }

  /** Reads one input; whether it was accepted. */
  public static boolean fuzz(byte[] input) throws Exception {
    Path file = SCRATCH.write("completions.jsonl", input);
    return Refusal.orResult(
        () -> {
          try (SampledReader reader = SampledReader.open(file)) {
            boolean more = true;
            while (more) {
              more = reader.next().isPresent();
            }
          }
        });
  }

  /** What Jazzer calls. */
  public static void fuzzerTestOneInput(byte[] input) throws Exception {
    fuzz(input);
  }
}
