package org.dpo4j.encode;

import java.util.Arrays;
import java.util.HashSet;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.dpo4j.tokenizer.SpecialTokens;
import org.dpo4j.tokenizer.TextTokenizer;

/**
 * Finds what is rarely intended in the ids of a row, though TRL trains on it as well. Checks ids
 * before truncation, so that an EOS that truncation removed is no warning. {@link RowDoubts} checks
 * texts and turns.
 */
final class TokenizationWarnings {
  static final String TWO_BOS = "BOS stands twice at the start";
  static final String NO_EOS = "a completion does not end in EOS";
  static final String TWO_EOS = "EOS stands twice at the end of a completion";
  static final String AFTER_EOS = "white space after EOS is scored";

  /** The end of every answer of the model, which no row can change. */
  static final String TEMPLATE_AFTER_EOS =
      "the chat template ends an answer with white space behind EOS, which is scored as in TRL;"
          + " nothing to do";

  private final TextTokenizer tokenizer;
  private final int bos; // -1 if the model has none
  private final Set<Integer> ends;

  TokenizationWarnings(TextTokenizer tokenizer, SpecialTokens special, OptionalInt eosId) {
    this.tokenizer = tokenizer;
    this.bos = special.bosId(tokenizer).orElse(-1);
    this.ends = new HashSet<>(special.endIds());
    eosId.ifPresent(ends::add);
  }

  Set<String> of(EncodedExample uncut) {
    Set<String> found = new TreeSet<>();
    int[] prompt = uncut.promptIds();
    // A single completion without a prompt is a whole text or conversation.
    if (!uncut.hasPrompt(bos) && uncut.isPair()) {
      found.add(RowDoubts.EMPTY_PROMPT);
    }
    int[] start =
        IntStream.concat(Arrays.stream(prompt), Arrays.stream(uncut.completions().get(0).ids()))
            .limit(2)
            .toArray();
    if (start.length == 2 && start[0] == bos && start[1] == bos) {
      found.add(TWO_BOS);
    }
    if (!ends.isEmpty()) {
      uncut.completions().forEach(completion -> end(completion.ids(), found));
    }
    return found;
  }

  private void end(int[] completion, Set<String> found) {
    int last = lastEnd(completion, completion.length);
    if (last < 0 || !isBlank(completion, last + 1, completion.length)) {
      found.add(NO_EOS);
      return;
    }
    if (last + 1 < completion.length) {
      found.add(AFTER_EOS);
    }
    int before = lastEnd(completion, last);
    if (before >= 0 && isBlank(completion, before + 1, last)) {
      found.add(TWO_EOS);
    }
  }

  private int lastEnd(int[] ids, int before) {
    for (int i = before - 1; i >= 0; i--) {
      if (ends.contains(ids[i])) {
        return i;
      }
    }
    return -1;
  }

  private boolean isBlank(int[] ids, int from, int to) {
    int most = 8; // longer tails are not white space, and decoding them is slow
    return from == to
        || (to - from <= most && tokenizer.decode(Arrays.copyOfRange(ids, from, to)).isBlank());
  }
}
