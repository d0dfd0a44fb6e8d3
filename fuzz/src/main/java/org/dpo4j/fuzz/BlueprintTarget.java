package org.dpo4j.fuzz;

import org.dpo4j.weights.ModelBlueprint;

/** A config.json of any family, read into the sizes of a model without weights. */
public final class BlueprintTarget {
  private static final Scratch SCRATCH = new Scratch();

  private BlueprintTarget() {}

  /** Reads one input; whether it was accepted. */
  public static boolean fuzz(byte[] input) throws Exception {
    SCRATCH.write("config.json", input);
    return Refusal.orResult(
        () -> {
          ModelBlueprint blueprint = ModelBlueprint.read("model", SCRATCH.folder());
          blueprint.shape();
          blueprint.config().unread();
        });
  }

  /** What Jazzer calls. */
  public static void fuzzerTestOneInput(byte[] input) throws Exception {
    fuzz(input);
  }
}
