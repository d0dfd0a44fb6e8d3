/**
 * Reads files into examples: a prompt with one or more completions, each with a role. In: files,
 * folders or patterns ({@link org.dpo4j.data.DataEntry}), in one of the formats of {@link
 * org.dpo4j.data.DataFormat}. Out: one {@link org.dpo4j.data.Row} per row, lazily and in order,
 * holding its {@link org.dpo4j.data.Example}s or the {@link org.dpo4j.data.BadRowException} that
 * explains why there is none. No row is lost silently. Not here: token ids (except in rows that
 * contain them), truncation, tensors. Start at {@link org.dpo4j.data.ExampleReader}. Each format is
 * a {@code RowSource}, {@code RowShape} lists the shapes of rows, and {@code ImplicitPrompt} finds
 * the end of an implicit prompt.
 */
@org.dpo4j.Internal
@org.jspecify.annotations.NullMarked
package org.dpo4j.data;
