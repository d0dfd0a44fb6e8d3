/**
 * Text to token ids and back. In: text, messages, the tokenizer files of a model folder. Out: ids,
 * text, the text that a chat template makes of messages. Never here: truncation, padding, EOS or
 * BOS that nobody asked for, tensors, a network. Start reading at {@link
 * org.dpo4j.tokenizer.TextTokenizer} and {@link org.dpo4j.tokenizer.ChatRenderer}.
 */
@org.jspecify.annotations.NullMarked
package org.dpo4j.tokenizer;
