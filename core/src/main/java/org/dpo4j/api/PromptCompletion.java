package org.dpo4j.api;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.Message;
import org.jspecify.annotations.Nullable;

/**
 * A prompt and one completion: a demonstration for {@link Losses#nll}, and with {@link #withLabel}
 * an example of {@link Losses#kto} and {@link Losses#apoZeroUnpaired}. Immutable.
 */
public final class PromptCompletion implements TrainingExample {

  private final Map<String, @Nullable Object> columns;
  private final double weight;

  private PromptCompletion(Map<String, @Nullable Object> columns, double weight) {
    this.columns = Collections.unmodifiableMap(columns);
    this.weight = weight;
  }

  /**
   * A completion of a plain text, which the model reads as it is. The end-of-sequence token is
   * added.
   *
   * @param prompt may be empty
   * @param completion begins with the space that separates it from the prompt, if there is one
   * @return an example of weight 1 without a label
   */
  public static PromptCompletion of(String prompt, String completion) {
    return of("prompt", prompt, "completion", completion);
  }

  /**
   * Turns of a conversation, which the chat template renders.
   *
   * @param prompt the turns before the completion; empty for a whole conversation to imitate
   * @param completion begins with a turn of the assistant if there is a prompt
   * @return an example of weight 1 without a label
   */
  public static PromptCompletion of(List<Message> prompt, List<Message> completion) {
    return of("prompt", ExampleRows.turns(prompt), "completion", ExampleRows.turns(completion));
  }

  /**
   * {@link #of(List, List)} for an answer of one turn.
   *
   * @param prompt at least one turn
   * @param completion the assistant's answer
   * @return an example of weight 1 without a label
   */
  public static PromptCompletion of(List<Message> prompt, Message completion) {
    return of(prompt, List.of(completion));
  }

  /**
   * Token ids, which are used as they are: no token is added.
   *
   * @param prompt ids of the prompt; may be empty
   * @param completion ids of the completion
   * @return an example of weight 1 without a label
   */
  public static PromptCompletion ofTokenIds(List<Integer> prompt, List<Integer> completion) {
    return of("prompt_ids", List.copyOf(prompt), "completion_ids", List.copyOf(completion));
  }

  private static PromptCompletion of(
      String promptColumn, Object prompt, String completionColumn, Object completion) {
    Map<String, @Nullable Object> columns = new LinkedHashMap<>();
    columns.put(promptColumn, prompt);
    columns.put(completionColumn, completion);
    return new PromptCompletion(columns, 1);
  }

  /**
   * The same completion with a label.
   *
   * @param desirable true for a thumb up, false for a thumb down
   * @return a changed copy
   */
  public PromptCompletion withLabel(boolean desirable) {
    return with("label", desirable);
  }

  /**
   * The same conversation with further variables for the chat template.
   *
   * @param variables such as {@code enable_thinking}: JSON values as plain Java
   * @return a changed copy
   */
  public PromptCompletion withTemplateVariables(Map<String, ?> variables) {
    return with("chat_template_kwargs", new LinkedHashMap<>(variables));
  }

  private PromptCompletion with(String column, Object value) {
    Map<String, @Nullable Object> changed = new LinkedHashMap<>(columns);
    changed.put(column, value);
    return new PromptCompletion(changed, weight);
  }

  @Override
  public double weight() {
    return weight;
  }

  @Override
  public PromptCompletion withWeight(double newWeight) {
    return new PromptCompletion(columns, newWeight);
  }

  /** A row of a file with the same content. */
  Map<String, @Nullable Object> row() {
    Map<String, @Nullable Object> row = new LinkedHashMap<>(columns);
    row.put("weight", weight);
    return row;
  }

  /** Its columns and values, for people. */
  @Override
  public String toString() {
    return row().toString();
  }
}
