package org.dpo4j.fuzz;

import org.dpo4j.weights.Checkpoint;

/** A model.safetensors.index.json beside the shards of a valid one. */
public final class IndexTarget {
  private static final Scratch SCRATCH =
      new Scratch(
          Fixtures.in("families/sharded").stream()
              .filter(path -> path.toString().endsWith(".safetensors"))
              .toList());

  private IndexTarget() {}

  /** Reads one input; whether it was accepted. */
  public static boolean fuzz(byte[] input) throws Exception {
    SCRATCH.write("model.safetensors.index.json", input);
    return Refusal.orResult(() -> Checkpoint.open(SCRATCH.folder()));
  }

  /** What Jazzer calls. */
  public static void fuzzerTestOneInput(byte[] input) throws Exception {
    fuzz(input);
  }
}
