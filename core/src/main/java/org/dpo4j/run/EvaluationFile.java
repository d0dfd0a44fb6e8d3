package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Predicate;
import org.dpo4j.DpoException;
import org.dpo4j.data.BoundedJson;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.JsonFault;
import org.dpo4j.options.BoundedFile;
import org.dpo4j.options.Limit;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/** Reads the figures that {@code eval} has written. */
final class EvaluationFile {

  private static final List<String> SHARES =
      List.of(
          "rewards/accuracies",
          "rewards/accuracies_length_controlled",
          "logps/accuracies",
          "ref_logps/accuracies",
          "chosen_fell");
  private static final List<String> NUMBERS =
      List.of("perplexity/chosen", "ref_perplexity/chosen", "beta");

  private final Path file;

  private EvaluationFile(Path file) {
    this.file = file;
  }

  /**
   * Reads a file, and checks the fields that a report shows.
   *
   * @throws DpoException if it is no such file; the message names the first wrong field
   */
  static JsonNode read(Path file) {
    try {
      JsonNode json = BoundedJson.LENIENT.readTree(BoundedFile.bytes(file, Limit.CONFIG_BYTES));
      new EvaluationFile(file).check(json);
      return json;
    } catch (IOException e) {
      throw new DpoException(
          "[%s] cannot be read: %s".formatted(file, FileFailure.reason(e, file)), e);
    } catch (JacksonException e) {
      throw new DpoException("[%s] is not valid JSON: %s".formatted(file, JsonFault.words(e)), e);
    }
  }

  private void check(JsonNode json) {
    JsonNode models = json.path("models");
    if (!models.isArray() || models.isEmpty()) {
      throw new DpoException("[%s] must be what eval writes, but has no models".formatted(file));
    }
    require(json, "", "data", JsonNode::isString, "a text");
    for (int i = 0; i < models.size(); i++) {
      model(models.path(i), "models[%d]".formatted(i));
    }
    JsonNode differences = list(json, "", "differences");
    for (int i = 0; i < differences.size(); i++) {
      String place = "differences[%d]".formatted(i);
      require(differences.path(i), place, "sentences", JsonNode::isString, "a text");
    }
  }

  private void model(JsonNode model, String place) {
    require(model, place, "model", JsonNode::isString, "a text");
    figures(model, place);
    for (String name : NUMBERS) {
      optional(model, place, name, JsonNode::isNumber, "a number");
    }
    optional(model, place, "calibration", JsonNode::isObject, "an object");
    optional(model, place, "kl", JsonNode::isObject, "an object");
    JsonNode slices = list(model, place, "slices");
    for (int i = 0; i < slices.size(); i++) {
      String slice = "%s.slices[%d]".formatted(place, i);
      require(slices.path(i), slice, "by", JsonNode::isString, "a text");
      require(slices.path(i), slice, "value", JsonNode::isString, "a text");
      require(slices.path(i), slice, "differs", JsonNode::isBoolean, "true or false");
      figures(slices.path(i), slice);
    }
  }

  private void figures(JsonNode figures, String place) {
    require(figures, place, "pairs", JsonNode::isInt, "a whole number");
    for (String name : SHARES) {
      optional(figures, place, name, JsonNode::isObject, "an object");
      for (String part : List.of("value", "low", "high")) {
        optional(
            figures.path(name), place + "." + name, part, JsonNode::isNumber, "a number or null");
      }
    }
  }

  private JsonNode list(JsonNode owner, String place, String name) {
    optional(owner, place, name, JsonNode::isArray, "a list");
    return owner.path(name);
  }

  /** Of a field that is missing or null where there is nothing to say. */
  private void optional(
      JsonNode owner, String place, String name, Predicate<JsonNode> rule, String words) {
    if (owner.hasNonNull(name)) {
      require(owner, place, name, rule, words);
    }
  }

  private void require(
      JsonNode owner, String place, String name, Predicate<JsonNode> rule, String words) {
    if (!rule.test(owner.path(name))) {
      throw new DpoException(
          "[%s] must be what eval writes, but %s%s is not %s"
              .formatted(file, place.isEmpty() ? "" : place + ".", name, words));
    }
  }
}
