package org.dpo4j.encode;

import java.util.List;

/**
 * The texts that were tokenized, uncut: prompt followed by a completion is the whole text. For
 * conversations, as rendered by the chat template; for plain text, with the added EOS; for rows of
 * ids, as decoded by the tokenizer.
 *
 * @param completions in the order of the example's
 */
public record RenderedTexts(String prompt, List<String> completions) {
  static final RenderedTexts NONE = new RenderedTexts("", List.of());

  public RenderedTexts {
    completions = List.copyOf(completions);
  }
}
