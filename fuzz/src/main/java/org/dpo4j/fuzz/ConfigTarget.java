package org.dpo4j.fuzz;

import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelReader;

/** A config.json, read and planned, and built with weights that fit a valid one. */
public final class ConfigTarget {
  private static final Scratch SCRATCH = new Scratch(Fixtures.in("families/llama_biases_tied"));

  private ConfigTarget() {}

  /** Reads one input; whether it was accepted. */
  public static boolean fuzz(byte[] input) throws Exception {
    SCRATCH.write("config.json", input);
    return Refusal.orResult(
        () -> {
          try (LoadedModel model = ModelReader.open(SCRATCH.folder())) {
            model.endTokenIds();
            model.config().unread();
          }
        });
  }

  /** What Jazzer calls. */
  public static void fuzzerTestOneInput(byte[] input) throws Exception {
    fuzz(input);
  }
}
