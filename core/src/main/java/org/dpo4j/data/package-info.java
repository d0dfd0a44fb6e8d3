/**
 * From a file to preference pairs. In: a {@code .jsonl} or {@code .json} file, {@code .gz} or not.
 * Out: one {@link org.dpo4j.data.Row} per row, lazily and in order, holding its {@link
 * org.dpo4j.data.PreferencePair}s or the {@link org.dpo4j.data.BadRowException} that says why there
 * is none. Never here: token ids (but for rows that bring their own), truncation, tensors, or a row
 * that vanishes. Start reading at {@link org.dpo4j.data.PairReader}; the shapes that a row may have
 * are in {@code RowShape}, where an implicit prompt ends in {@code ImplicitPrompt}.
 */
@org.jspecify.annotations.NullMarked
package org.dpo4j.data;
