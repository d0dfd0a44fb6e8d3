package org.dpo4j.api;

/**
 * Text to token ids and back. Implement it to replace the tokenizer of a model folder.
 *
 * <p>Implementations must be safe for use by several threads. The model folder still names the
 * end-of-sequence token in {@code tokenizer_config.json}; {@link #encode} must map its text to one
 * id.
 */
public interface Tokenizer {

  /**
   * Encodes a text.
   *
   * @param text any text, also an empty one
   * @param addSpecialTokens whether to add the tokens that start (or end) a sequence, such as BOS;
   *     false for the output of a chat template
   * @return ids from 0 up to the vocabulary of the model, exclusive
   */
  int[] encode(String text, boolean addSpecialTokens);

  /**
   * Decodes ids.
   *
   * @param ids any ids that {@link #encode} can return
   * @return the text, special tokens included; an incomplete character at the end becomes U+FFFD
   */
  String decode(int[] ids);
}
