package org.dpo4j.data;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Names of other tools for {@code chosen}, {@code rejected} and {@code conversations}, and OpenAI's
 * {@code input}, an object with the prompt's messages and the tools. A row with either of TRL's own
 * names is left unchanged.
 */
final class OtherNames {

  /** A tool's names for the two sides. */
  record Split(String chosen, String rejected) {}

  private static final List<Split> SIDES =
      List.of(
          new Split("chosen_response", "rejected_response"), // NeMo, Argilla, Axolotl
          new Split("chosen_conversations", "rejected_conversations"), // torchtune
          new Split("chosen_messages", "rejected_messages"),
          new Split("preferred_output", "non_preferred_output"), // OpenAI
          new Split("messages", "rejected_messages"), // ms-swift, whole conversations
          new Split("response", "rejected_response"), // ms-swift, with query and history
          new Split("answer", "rejected_answer"), // H2O LLM Studio
          new Split("output", "rejected_output"));

  private OtherNames() {}

  /** The names that a row uses; empty if it uses TRL's or none that is known. */
  static Optional<Split> of(Map<?, ?> row) {
    if (row.containsKey("chosen")
        || row.containsKey("rejected")
        || RowShape.IDS.stream().anyMatch(row::containsKey)) {
      return Optional.empty();
    }
    return SIDES.stream()
        .filter(sides -> row.containsKey(sides.chosen()) && row.containsKey(sides.rejected()))
        .findFirst();
  }

  /** The row under the names used here. */
  static Map<?, ?> replaced(Map<?, ?> row, Optional<Split> sides) {
    boolean conversation =
        row.get("conversation") instanceof List<?> && !row.containsKey("conversations");
    boolean input = row.get("input") instanceof Map<?, ?> && !row.containsKey("prompt");
    if (sides.isEmpty() && !conversation && !input) {
      return row;
    }
    Map<Object, @Nullable Object> replaced = new LinkedHashMap<>();
    row.forEach(
        (name, value) -> {
          if (conversation && "conversation".equals(name)) { // Axolotl
            replaced.put("conversations", value);
          } else if (input && "input".equals(name) && value instanceof Map<?, ?> request) {
            replaced.put("prompt", request.get("messages"));
            replaced.putIfAbsent("tools", request.get("tools"));
          } else if (sides.isPresent() && sides.get().chosen().equals(name)) {
            replaced.put("chosen", value);
          } else if (sides.isPresent() && sides.get().rejected().equals(name)) {
            replaced.put("rejected", value);
          } else {
            replaced.put(name, value);
          }
        });
    return replaced;
  }
}
