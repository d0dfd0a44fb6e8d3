/**
 * From a pair to its token ids. In: {@link org.dpo4j.data.PreferencePair}, a tokenizer, a chat
 * template. Out: {@link org.dpo4j.encode.EncodedPair}, cut to the length that the run allows, and a
 * count of what became of every row. Rows are encoded on several threads and come out in order; the
 * pairs of a {@link org.dpo4j.encode.PairDataset} lie on disk. The rules for boundary, EOS and
 * truncation are those of TRL 1.16, and they are all in {@link org.dpo4j.encode.PairEncoder}: start
 * reading there. Never here: tensors, padding, batches.
 */
@org.jspecify.annotations.NullMarked
package org.dpo4j.encode;
