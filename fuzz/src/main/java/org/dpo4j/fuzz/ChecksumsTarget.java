package org.dpo4j.fuzz;

import static java.nio.charset.StandardCharsets.UTF_8;

import org.dpo4j.checkpoint.CheckpointFolders;
import org.dpo4j.data.Sha256;

/** The file {@code SHA256SUMS} of a checkpoint with two other files. */
public final class ChecksumsTarget {
  private static final Scratch SCRATCH = new Scratch();
  private static final byte[] WEIGHTS = "weights".getBytes(UTF_8);
  private static final byte[] CONFIG = "{}".getBytes(UTF_8);

  static {
    SCRATCH.write("model.safetensors", WEIGHTS);
    SCRATCH.write("config.json", CONFIG);
  }

  private ChecksumsTarget() {}

  /** The list of these files. */
  static byte[] seed() {
    return "%s  config.json\n%s  model.safetensors\n"
        .formatted(Sha256.of(CONFIG), Sha256.of(WEIGHTS))
        .getBytes(UTF_8);
  }

  /** Reads one input; whether it was accepted. */
  public static boolean fuzz(byte[] input) throws Exception {
    SCRATCH.write("SHA256SUMS", input);
    return Refusal.orResult(() -> CheckpointFolders.verify(SCRATCH.folder()));
  }

  /** What Jazzer calls. */
  public static void fuzzerTestOneInput(byte[] input) throws Exception {
    fuzz(input);
  }
}
