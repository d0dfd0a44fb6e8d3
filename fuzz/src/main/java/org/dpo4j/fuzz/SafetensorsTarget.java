package org.dpo4j.fuzz;

import java.nio.file.Path;
import org.dpo4j.weights.SafetensorsFile;

/** A safetensors file: its header, against the bytes that follow. */
public final class SafetensorsTarget {
  private static final Scratch SCRATCH = new Scratch();

  private SafetensorsTarget() {}

  /** Reads one input. */
  public static boolean fuzz(byte[] input) throws Exception {
    Path path = SCRATCH.write("model.safetensors", input);
    return Refusal.orResult(
        () -> {
          SafetensorsFile file = SafetensorsFile.open(path);
          for (String name : file.names()) {
            long bytes = file.entry(name).end() - file.entry(name).begin();
            if (bytes < 0 || file.entry(name).end() > input.length) {
              throw new AssertionError(name + " reaches beyond the file");
            }
          }
        });
  }

  /** What Jazzer calls. */
  public static void fuzzerTestOneInput(byte[] input) throws Exception {
    fuzz(input);
  }
}
