package org.dpo4j.tokenizer;

/**
 * Token ids with their places in the text. All arrays have the same length.
 *
 * @param starts index of each token's first UTF-16 unit; -1 for a token that is not in the text
 * @param ends index after its last unit
 */
@SuppressWarnings("ArrayRecordComponent") // read once, never compared
public record PlacedTokens(int[] ids, int[] starts, int[] ends) {}
