package org.dpo4j.fuzz;

import org.dpo4j.tokenizer.ModelTokenizer;

/** A tokenizer_config.json beside a valid tokenizer.json. */
public final class TokenizerConfigTarget {
  private static final Scratch SCRATCH = new Scratch(Fixtures.in("tokenizers/byte_level_bpe"));

  private TokenizerConfigTarget() {}

  /** Reads one input; whether it was accepted. */
  public static boolean fuzz(byte[] input) throws Exception {
    SCRATCH.write("tokenizer_config.json", input);
    return Refusal.orResult(() -> ModelTokenizer.load(SCRATCH.folder()).close());
  }

  /** What Jazzer calls. */
  public static void fuzzerTestOneInput(byte[] input) throws Exception {
    fuzz(input);
  }
}
