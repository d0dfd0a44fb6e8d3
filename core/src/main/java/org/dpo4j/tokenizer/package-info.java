/**
 * Text to token ids and back, and messages to text.
 *
 * <p>In: text, or the messages of a row; a checkpoint's tokenizer files and chat template. Out:
 * token ids, or the text that the template makes. No tensor is made here, and nothing that a
 * message says is ever interpreted as template. Start at {@link
 * org.dpo4j.tokenizer.TextTokenizer} and {@link org.dpo4j.tokenizer.ChatTemplate}.
 */
@org.jspecify.annotations.NullMarked
package org.dpo4j.tokenizer;
