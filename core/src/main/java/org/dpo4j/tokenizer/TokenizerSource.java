package org.dpo4j.tokenizer;

/** The values of the option {@code tokenizer_source}: where the ids of a text come from. */
public enum TokenizerSource {
  /** {@code tokenizer.json} as it stands. */
  FILE,
  /** What transformers' AutoTokenizer builds from the files, which TRL uses. */
  TRANSFORMERS
}
