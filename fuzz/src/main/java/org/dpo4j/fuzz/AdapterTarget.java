package org.dpo4j.fuzz;

import java.util.Set;
import org.dpo4j.weights.LoadedModel;
import org.dpo4j.weights.ModelReader;
import org.dpo4j.weights.PeftAdapter;

/** An adapter_config.json and the patterns in it, put on a model. */
public final class AdapterTarget {
  private static final Scratch MODEL = new Scratch(Fixtures.in("models/llama"));
  private static final LoadedModel BASE = ModelReader.open(MODEL.folder());
  private static final Scratch SCRATCH = new Scratch(Fixtures.in("adapters/llama-r8"));

  private AdapterTarget() {}

  /** Reads one input; whether it was accepted. */
  public static boolean fuzz(byte[] input) throws Exception {
    SCRATCH.write("adapter_config.json", input);
    return Refusal.orResult(
        () -> {
          PeftAdapter.config("adapter", SCRATCH.folder(), "llama", Set.of());
          PeftAdapter.baseName("adapter", SCRATCH.folder());
          PeftAdapter.open("adapter", SCRATCH.folder(), BASE).close();
        });
  }

  /** What Jazzer calls. */
  public static void fuzzerTestOneInput(byte[] input) throws Exception {
    fuzz(input);
  }
}
