package org.dpo4j.tokenizer;

import java.util.Optional;

/** Converts text to token ids and back. Implementations are safe for use by several threads. */
public interface TextTokenizer {

  /**
   * @param addSpecialTokens whether to add the tokenizer's special tokens, such as a BOS, as
   *     transformers' {@code add_special_tokens}
   */
  int[] encode(String text, boolean addSpecialTokens);

  /**
   * The ids with their places in the text.
   *
   * @return empty if the tokenizer does not know the places
   */
  default Optional<PlacedTokens> encodeWithPlaces(String text, boolean addSpecialTokens) {
    return Optional.empty();
  }

  /**
   * Whether transformers, which builds another tokenizer from the same files, gives the text other
   * ids.
   *
   * @param addSpecialTokens as for {@link #encode}
   */
  default boolean differsInTransformers(String text, boolean addSpecialTokens) {
    return false;
  }

  /** The text of the ids, special tokens included. */
  String decode(int[] ids);

  /** Whether the id is a control token rather than text, as far as the tokenizer knows. */
  default boolean isSpecial(int id) {
    return false;
  }

  /**
   * Token ids with their places in the text. All arrays have the same length.
   *
   * @param starts index of each token's first UTF-16 unit; -1 for a token that is not in the text
   * @param ends index after its last unit
   */
  @SuppressWarnings("ArrayRecordComponent") // read once, never compared
  record PlacedTokens(int[] ids, int[] starts, int[] ends) {}
}
