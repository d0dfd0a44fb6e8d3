package org.dpo4j.data;

import java.util.List;

/**
 * A completion of a prompt.
 *
 * @param <T> its form: text, turns or token ids
 */
public record Completion<T>(CompletionRole role, T content) {

  /** The two completions of a pair. */
  static <T> List<Completion<T>> pair(T chosen, T rejected) {
    return List.of(
        new Completion<>(CompletionRole.CHOSEN, chosen),
        new Completion<>(CompletionRole.REJECTED, rejected));
  }

  /** The completion with a role, in a list. */
  static <T> List<Completion<T>> only(List<Completion<T>> completions, CompletionRole role) {
    return completions.stream().filter(completion -> completion.role() == role).toList();
  }

  /** The content of the completion with a role. */
  static <T> T content(List<Completion<T>> completions, CompletionRole role) {
    return completions.stream()
        .filter(completion -> completion.role() == role)
        .findFirst()
        .orElseThrow(() -> new IllegalStateException("no completion is " + role))
        .content();
  }
}
