package org.dpo4j.serve;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.dpo4j.options.OptionType;
import org.dpo4j.options.Suggestion;
import tools.jackson.databind.JsonNode;

/**
 * The fields of a request, each read by name with its rule. A field with null is one that is not
 * there. What was not read is refused in the end, unless it changes no answer.
 */
final class Fields {

  /** Fields that change no answer. */
  private static final Set<String> HARMLESS =
      Set.of(
          "metadata",
          "parallel_tool_calls",
          "prompt_cache_key",
          "prompt_cache_retention",
          "safety_identifier",
          "service_tier",
          "store",
          "tool_choice",
          "user");

  /** Fields that change answers, with the values that say no more than their absence. */
  private static final Map<String, List<String>> NEUTRAL =
      Map.ofEntries(
          Map.entry("audio", List.of()),
          Map.entry("best_of", List.of("1")),
          Map.entry("echo", List.of("false")),
          Map.entry("frequency_penalty", List.of("0")),
          Map.entry("function_call", List.of("\"none\"")),
          Map.entry("functions", List.of("[]")),
          Map.entry("logit_bias", List.of("{}")),
          Map.entry("modalities", List.of("[\"text\"]")),
          Map.entry("prediction", List.of()),
          Map.entry("presence_penalty", List.of("0")),
          Map.entry("reasoning_effort", List.of()),
          Map.entry("response_format", List.of("{\"type\":\"text\"}")),
          Map.entry("suffix", List.of("\"\"")),
          Map.entry("tools", List.of("[]")),
          Map.entry("verbosity", List.of()),
          Map.entry("web_search_options", List.of()));

  private static final int SHOWN = 60;

  private final JsonNode object;
  private final Set<String> known = new HashSet<>();

  Fields(JsonNode object) {
    this.object = object;
  }

  /** The value of a field; empty if it is missing or null. */
  Optional<JsonNode> get(String name) {
    known.add(name);
    return Optional.ofNullable(object.get(name)).filter(value -> !value.isNull());
  }

  double number(String name, double standard, double least, double most, String rule)
      throws ApiError {
    Optional<JsonNode> value = get(name);
    if (value.isEmpty()) {
      return standard;
    }
    double number = value.get().isNumber() ? value.get().asDouble() : Double.NaN;
    if (!(number >= least && number <= most)) {
      throw wrong(name, rule, value.get());
    }
    return number;
  }

  long whole(String name, long standard, long least, long most) throws ApiError {
    Optional<JsonNode> value = get(name);
    if (value.isEmpty()) {
      return standard;
    }
    JsonNode node = value.get();
    boolean whole = node.isNumber() && node.asDouble() == Math.rint(node.asDouble());
    if (!whole || !node.canConvertToLong() || node.asLong() < least || node.asLong() > most) {
      String rule =
          most == Long.MAX_VALUE
              ? least == Long.MIN_VALUE ? "a whole number" : "a whole number from " + least
              : "a whole number from %d to %d".formatted(least, most);
      throw wrong(name, rule, node);
    }
    return node.asLong();
  }

  boolean flag(String name) throws ApiError {
    Optional<JsonNode> value = get(name);
    if (value.isPresent() && !value.get().isBoolean()) {
      throw wrong(name, "true or false", value.get());
    }
    return value.isPresent() && value.get().asBoolean();
  }

  /** Refuses the fields that were not asked for. */
  void refuseOthers() throws ApiError {
    for (Map.Entry<String, JsonNode> field : object.properties()) {
      String name = field.getKey();
      JsonNode value = field.getValue();
      if (known.contains(name) || HARMLESS.contains(name) || value.isNull()) {
        continue;
      }
      if (!NEUTRAL.containsKey(name)) {
        throw ApiError.ofField(
            name,
            "\"%s\" is no field that is known here%s"
                .formatted(
                    shortened(name),
                    Suggestion.nearest(name, known)
                        .map("; did you mean \"%s\"?"::formatted)
                        .orElse("; leave it out")));
      }
      String text = value.isNumber() ? OptionType.shortest(value.asDouble()) : value.toString();
      List<String> neutral = NEUTRAL.get(name);
      if (!neutral.contains(text)) {
        throw ApiError.ofField(
            name,
            "\"%s\" is not supported and would change the answer%s, but was %s; leave it out"
                .formatted(
                    name, neutral.isEmpty() ? "" : ", except as " + neutral.get(0), shown(value)));
      }
    }
  }

  static ApiError wrong(String name, String rule, JsonNode found) {
    return ApiError.ofField(
        name, "\"%s\" must be %s but was %s".formatted(name, rule, shown(found)));
  }

  static String shown(JsonNode value) {
    return shortened(value.toString());
  }

  private static String shortened(String text) {
    return text.length() <= SHOWN ? text : text.substring(0, SHOWN) + "…";
  }
}
