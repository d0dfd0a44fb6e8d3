/**
 * Turns examples into token ids. In: {@link org.dpo4j.data.Example}, a tokenizer, a chat template.
 * Out: {@link org.dpo4j.encode.EncodedExample}, truncated to the run's limit, and counts of all
 * rows by result. Rows are encoded on several threads and returned in order; the examples of a
 * {@link org.dpo4j.encode.ExampleDataset} are on disk. Mismatched completions and packs are views
 * of them. The rules for boundary, EOS and truncation are those of TRL 1.16, all in {@link
 * org.dpo4j.encode.ExampleEncoder}: start there. Not here: tensors, padding, batches.
 */
@org.dpo4j.Internal
@org.jspecify.annotations.NullMarked
package org.dpo4j.encode;
