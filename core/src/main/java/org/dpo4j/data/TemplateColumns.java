package org.dpo4j.data;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The columns that are passed to the chat template, as in TRL: {@code tools}, a list of JSON
 * schemas or such a list written as a JSON string, and {@code chat_template_kwargs}, an object of
 * further variables, which take precedence.
 */
public final class TemplateColumns {
  private static final String TOOLS = "tools";
  private static final String KWARGS = "chat_template_kwargs";
  static final List<String> NAMES = List.of(TOOLS, KWARGS);

  /** In Python these are parameters of the call and never reach the template. */
  private static final Set<String> ARGUMENTS =
      Set.of(
          "conversation",
          "conversations",
          "messages",
          "chat_template",
          "add_generation_prompt",
          "continue_final_message",
          "tokenize",
          "sanitize_control_tokens",
          "padding",
          "truncation",
          "max_length",
          "return_tensors",
          "return_dict",
          "return_assistant_tokens_mask",
          "tokenizer_kwargs",
          "self",
          "input",
          "processing_class");

  private TemplateColumns() {}

  /** The first of some names that cannot be those of variables. */
  public static Optional<String> reserved(Collection<String> names) {
    return names.stream().filter(ARGUMENTS::contains).findFirst();
  }

  /**
   * The variables of a row, by name; null counts as absent.
   *
   * @throws BadRowException if a column has another type
   */
  static Map<String, @Nullable Object> read(RowOrigin origin, Map<?, ?> row) {
    Map<String, @Nullable Object> variables = new LinkedHashMap<>();
    Object tools = row.get(TOOLS);
    if (tools instanceof String json) {
      tools =
          json.isBlank() ? null : RowJson.parse(origin, json); // LLaMA-Factory writes "" for none
    }
    if (tools != null) {
      variables.put(TOOLS, tools);
    }
    Object kwargs = row.get(KWARGS);
    if (kwargs instanceof Map<?, ?> own) {
      own.forEach((name, value) -> variables.put((String) name, value));
    } else if (kwargs != null) {
      throw wrong(origin, KWARGS, "must be an object of variables but is " + JsonKind.of(kwargs));
    }
    reserved(variables.keySet())
        .ifPresent(
            name -> {
              throw wrong(
                  origin,
                  KWARGS,
                  "\"%s\" is set by the run and must not be among them; remove it".formatted(name));
            });
    checkObjects(origin, variables, TOOLS);
    checkObjects(origin, variables, "documents");
    return variables;
  }

  /**
   * Refuses values in rows without a template, where they would be ignored.
   *
   * @throws BadRowException if one of the columns has a value
   */
  static void refuse(RowOrigin origin, Map<?, ?> row, String kind) {
    for (String column : NAMES) {
      Object value = row.get(column);
      boolean nothing =
          value == null
              || (value instanceof String text && text.isBlank())
              || (value instanceof List<?> list && list.isEmpty())
              || (value instanceof Map<?, ?> map && map.isEmpty());
      if (!nothing) {
        throw new BadRowException(
            origin,
            "column \"" + column + "\" without messages",
            kind
                + " not rendered by the chat template and the column would have no effect; write"
                + " the row as messages, or remove the column");
      }
    }
  }

  private static void checkObjects(
      RowOrigin origin, Map<String, @Nullable Object> variables, String name) {
    Object value = variables.get(name);
    boolean objects =
        value instanceof List<?> list && list.stream().allMatch(item -> item instanceof Map<?, ?>);
    if (value != null && !objects) {
      throw wrong(
          origin,
          name,
          "must be a list of objects but is "
              + (value instanceof List<?> ? "a list of other things" : JsonKind.of(value)));
    }
  }

  private static BadRowException wrong(RowOrigin origin, String column, String detail) {
    return new BadRowException(origin, "unusable \"" + column + "\"", detail);
  }
}
