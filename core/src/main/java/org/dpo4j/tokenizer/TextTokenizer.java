package org.dpo4j.tokenizer;

/** Text to token ids and back. Implementations are safe for use by several threads. */
public interface TextTokenizer {

  /**
   * @param addSpecialTokens whether the tokenizer's own template adds its tokens (a BOS, say), as
   *     transformers' {@code add_special_tokens}
   */
  int[] encode(String text, boolean addSpecialTokens);

  /** The text of the ids, special tokens included. */
  String decode(int[] ids);
}
