package org.dpo4j.data;

import java.util.List;
import java.util.Map;
import org.dpo4j.Message;
import org.jspecify.annotations.Nullable;

/**
 * A prompt with completions of it, as {@code sample} writes them.
 *
 * @param origin the place in the file of completions
 * @param prompt one text, or a conversation
 * @param place the fields of the row that name the place of the prompt: file, row, line
 * @param columns the other columns of the prompt's row
 * @param completions at least one
 */
public record SampledPrompt(
    RowOrigin origin,
    Prompt prompt,
    Map<String, @Nullable Object> place,
    Map<String, @Nullable Object> columns,
    List<Completion> completions) {

  /**
   * A prompt.
   *
   * @param text null for a conversation
   * @param messages empty for a text
   */
  public record Prompt(@Nullable String text, List<Message> messages) {}

  /**
   * A completion.
   *
   * @param number its place among the completions of the prompt, from 0
   * @param text without special tokens
   * @param tokens number of tokens; -1 if the row does not say
   */
  public record Completion(int number, String text, int tokens) {}
}
