package org.dpo4j.fuzz;

import org.dpo4j.tokenizer.ModelTokenizer;

/** A tokenizer.json, read here and by the native library. */
public final class TokenizerTarget {
  private static final Scratch SCRATCH = new Scratch();

  private TokenizerTarget() {}

  /** Reads one input; whether it was accepted. */
  public static boolean fuzz(byte[] input) throws Exception {
    SCRATCH.write("tokenizer.json", input);
    return Refusal.orResult(
        () -> {
          try (ModelTokenizer tokenizer = ModelTokenizer.load(SCRATCH.folder())) {
            int[] ids = tokenizer.text().encode("The quick fox, 42 \u00e9\u4e16 <|x|>", true);
            tokenizer.text().decode(ids);
          }
        });
  }

  /** What Jazzer calls. */
  public static void fuzzerTestOneInput(byte[] input) throws Exception {
    fuzz(input);
  }
}
