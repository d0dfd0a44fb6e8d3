package org.dpo4j.tokenizer;

import java.util.ArrayList;
import java.util.List;

/**
 * Decodes token ids one at a time. The pieces joined are the text of all ids.
 *
 * <p>A token may be a part of a character, and some tokenizers decode a token differently at the
 * start of a text. So the decoder holds back incomplete characters, and decodes new ids together
 * with those of the previous piece. Not safe for use by several threads.
 */
public final class IncrementalDecoder {

  /** What an incomplete character decodes to. */
  private static final char REPLACEMENT = '\uFFFD';

  /** Ids before the text on which its first piece may depend. */
  private static final int CONTEXT = 8;

  private final TextTokenizer tokenizer;
  private final List<Integer> ids = new ArrayList<>();
  private int contextStart;
  private int decoded;

  /** A decoder at the start of a text. */
  public IncrementalDecoder(TextTokenizer tokenizer) {
    this(tokenizer, new int[0]);
  }

  /**
   * A decoder of a text that goes on from another.
   *
   * @param before ids of the other text
   */
  public IncrementalDecoder(TextTokenizer tokenizer, int[] before) {
    this.tokenizer = tokenizer;
    for (int i = Math.max(0, before.length - CONTEXT); i < before.length; i++) {
      ids.add(before[i]);
    }
    decoded = ids.size();
  }

  /** The text that this id completes; "" if it ends inside a character. */
  public String add(int id) {
    ids.add(id);
    String piece = piece();
    if (piece.isEmpty() || piece.charAt(piece.length() - 1) == REPLACEMENT) {
      return "";
    }
    contextStart = decoded;
    decoded = ids.size();
    return piece;
  }

  /** The text that was held back; call it once, after the last id. */
  public String finish() {
    String piece = piece();
    contextStart = ids.size();
    decoded = ids.size();
    return piece;
  }

  private String piece() {
    String before = decode(contextStart, decoded);
    String all = decode(contextStart, ids.size());
    return all.substring(Math.min(before.length(), all.length()));
  }

  private String decode(int from, int to) {
    return tokenizer.decode(ids.subList(from, to).stream().mapToInt(Integer::intValue).toArray());
  }
}
