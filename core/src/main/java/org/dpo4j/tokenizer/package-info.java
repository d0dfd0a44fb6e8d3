/**
 * Converts text to token ids and back, and renders messages as text.
 *
 * <p>In: text, messages, the tokenizer files and the chat template of a model folder. Out: ids,
 * text, rendered messages. Not here: truncation, padding, unrequested EOS or BOS, tensors, network
 * access. The content of messages is never interpreted as a template. Start at {@link
 * org.dpo4j.tokenizer.ModelTokenizer}.
 */
@org.dpo4j.Internal
@org.jspecify.annotations.NullMarked
package org.dpo4j.tokenizer;
