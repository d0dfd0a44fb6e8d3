package org.dpo4j.tokenizer;

import java.util.ArrayList;
import java.util.List;

/**
 * Decodes token ids one at a time. The pieces joined are the text of all ids.
 *
 * <p>A token may be a part of a character, and some tokenizers decode a token differently at the
 * start of a text. So the decoder holds back incomplete characters, and decodes new ids together
 * with those of the previous piece.
 *
 * <p>A stop string ends the text before it. Text that may be the beginning of one is held back
 * until it is certain, so that the text does not depend on how the tokens cut it.
 *
 * <p>Not safe for use by several threads.
 */
public final class IncrementalDecoder {

  /** What an incomplete character decodes to. */
  private static final char REPLACEMENT = '\uFFFD';

  /** Ids before the text on which its first piece may depend. */
  private static final int CONTEXT = 8;

  private final TextTokenizer tokenizer;
  private final List<String> stops;
  private final List<Integer> ids = new ArrayList<>();
  private int contextStart;
  private int decoded;
  private String withheld = ""; // may begin a stop string
  private boolean stopped;

  /** A decoder at the start of a text. */
  public IncrementalDecoder(TextTokenizer tokenizer) {
    this(tokenizer, new int[0], List.of());
  }

  /**
   * A decoder of a text that goes on from another, up to a stop string.
   *
   * @param before ids of the other text, if there is one
   * @param stops none is empty
   */
  public IncrementalDecoder(TextTokenizer tokenizer, int[] before, List<String> stops) {
    this.tokenizer = tokenizer;
    this.stops = List.copyOf(stops);
    if (this.stops.contains("")) {
      throw new IllegalArgumentException("a stop string must not be empty");
    }
    for (int i = Math.max(0, before.length - CONTEXT); i < before.length; i++) {
      ids.add(before[i]);
    }
    decoded = ids.size();
  }

  /** The text that this id makes certain; "" if there is none, or the text has {@link #stopped}. */
  public String add(int id) {
    if (stopped) {
      return "";
    }
    ids.add(id);
    String piece = piece();
    if (piece.isEmpty() || piece.charAt(piece.length() - 1) == REPLACEMENT) {
      return "";
    }
    contextStart = decoded;
    decoded = ids.size();
    return certain(piece);
  }

  /** The text that was held back; call it once, after the last id. */
  public String finish() {
    if (stopped) {
      return "";
    }
    String piece = piece();
    contextStart = ids.size();
    decoded = ids.size();
    String certain = certain(piece);
    String all = certain + withheld;
    withheld = "";
    return all;
  }

  /** Whether a stop string has ended the text. */
  public boolean stopped() {
    return stopped;
  }

  private String certain(String piece) {
    String text = withheld + piece;
    int end = Integer.MAX_VALUE; // of the stop string that ends first: the tokens do not matter
    int start = text.length();
    for (String stop : stops) {
      int found = text.indexOf(stop);
      if (found >= 0
          && (found + stop.length() < end || (found + stop.length() == end && found < start))) {
        end = found + stop.length();
        start = found;
      }
    }
    stopped = start < text.length();
    int kept = stopped ? start : text.length() - longestBeginning(text);
    withheld = stopped ? "" : text.substring(kept);
    return text.substring(0, kept);
  }

  /** The length of the longest beginning of a stop string that the text ends with. */
  private int longestBeginning(String text) {
    int longest = 0;
    for (String stop : stops) {
      for (int length = Math.min(stop.length() - 1, text.length()); length > longest; length--) {
        if (stop.startsWith(text.substring(text.length() - length))) {
          longest = length;
        }
      }
    }
    return longest;
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
