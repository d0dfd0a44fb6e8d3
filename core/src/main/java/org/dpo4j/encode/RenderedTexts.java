package org.dpo4j.encode;

/**
 * The texts that were tokenized, uncut: prompt followed by a completion is the whole text of that
 * side. Of a conversation, what the chat template rendered; of plain text, the completions with the
 * EOS that was added; of rows of ids, what the tokenizer decodes them to.
 */
public record RenderedTexts(String prompt, String chosen, String rejected) {
  static final RenderedTexts NONE = new RenderedTexts("", "", "");
}
