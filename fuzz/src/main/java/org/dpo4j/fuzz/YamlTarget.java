package org.dpo4j.fuzz;

import org.dpo4j.options.YamlOptions;

/** A configuration in YAML, bound to the options of training. */
public final class YamlTarget {
  private static final Scratch SCRATCH = new Scratch();

  private YamlTarget() {}

  /** Reads one input; whether it was accepted. */
  public static boolean fuzz(byte[] input) throws Exception {
    SCRATCH.write("train.yaml", input);
    return Refusal.orResult(() -> YamlOptions.read(SCRATCH.path("train.yaml")));
  }

  /** What Jazzer calls. */
  public static void fuzzerTestOneInput(byte[] input) throws Exception {
    fuzz(input);
  }
}
