package org.dpo4j.encode;

/**
 * The texts that were tokenized, uncut: prompt followed by a completion is the whole text of that
 * side. For conversations, as rendered by the chat template; for plain text, with the added EOS;
 * for rows of ids, as decoded by the tokenizer.
 */
public record RenderedTexts(String prompt, String chosen, String rejected) {
  static final RenderedTexts NONE = new RenderedTexts("", "", "");
}
