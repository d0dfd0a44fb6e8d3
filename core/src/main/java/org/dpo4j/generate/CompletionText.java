package org.dpo4j.generate;

import java.util.List;
import org.dpo4j.tokenizer.IncrementalDecoder;

/**
 * The text of a completion, piece by piece, up to a stop string. Text that may be the beginning of
 * a stop string is withheld until it is certain, so that all pieces joined are the text before the
 * stop string, however the tokens cut it. Not safe for use by several threads.
 */
public final class CompletionText {

  private final IncrementalDecoder decoder;
  private final List<String> stops;
  private String withheld = "";
  private boolean stopped;

  /**
   * @param decoder that has decoded nothing yet
   * @param stops none is empty
   */
  public CompletionText(IncrementalDecoder decoder, List<String> stops) {
    this.decoder = decoder;
    this.stops = List.copyOf(stops);
    if (this.stops.contains("")) {
      throw new IllegalArgumentException("a stop string must not be empty");
    }
  }

  /** The text that has become certain by this id; "" once the text has {@link #stopped}. */
  public String add(int id) {
    return stopped ? "" : certain(decoder.add(id));
  }

  /** The text that was held back; call it once, after the last id. */
  public String finish() {
    if (stopped) {
      return "";
    }
    String certain = certain(decoder.finish());
    String all = stopped ? certain : certain + withheld;
    withheld = "";
    return all;
  }

  /** Whether a stop string has ended the text. */
  public boolean stopped() {
    return stopped;
  }

  private String certain(String piece) {
    if (piece.isEmpty()) {
      return "";
    }
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
}
