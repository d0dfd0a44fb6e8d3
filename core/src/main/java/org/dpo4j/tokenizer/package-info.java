/**
 * Text to token ids and back, and messages to text.
 *
 * <p>In: text, messages, the tokenizer files and the chat template of a model folder. Out: ids,
 * text, the text that the template makes of messages. Never here: truncation, padding, EOS or BOS
 * that nobody asked for, tensors, a network; and nothing that a message says is ever interpreted as
 * template. Start reading at {@link org.dpo4j.tokenizer.ModelTokenizer}.
 */
@org.jspecify.annotations.NullMarked
package org.dpo4j.tokenizer;
