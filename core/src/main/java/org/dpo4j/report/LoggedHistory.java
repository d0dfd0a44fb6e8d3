package org.dpo4j.report;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dpo4j.DpoException;
import org.dpo4j.EvaluationReport;
import org.dpo4j.ExampleKind;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingMetrics;
import org.dpo4j.data.BoundedJson;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.JsonFault;
import org.dpo4j.options.BoundedFile;
import org.dpo4j.options.Limit;
import tools.jackson.core.JacksonException;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Reads {@code log_history} of {@code trainer_state.json}: the names of {@link MetricNames}. */
final class LoggedHistory {

  private static final Pattern EVALUATION_LOSS = Pattern.compile("eval_(?:(.+)_)?loss");

  /** Python writes a loss that is not finite as NaN or Infinity. */
  private static final JsonMapper JSON =
      BoundedJson.LENIENT.rebuild().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();

  private LoggedHistory() {}

  /** See {@link TrainerState#readHistory}. */
  static RunHistory read(Path file) {
    JsonNode root;
    try {
      root = JSON.readTree(BoundedFile.bytes(file, Limit.CONFIG_BYTES));
    } catch (IOException e) {
      throw new DpoException(
          "[%s] cannot be read: %s".formatted(file, FileFailure.reason(e, file)), e);
    } catch (JacksonException e) {
      throw new DpoException("[%s] is not valid JSON: %s".formatted(file, JsonFault.words(e)), e);
    }
    JsonNode log = root.path("log_history");
    if (!log.isArray()) {
      throw new DpoException(
          "[%s] must have a list log_history, as transformers writes it, but has none"
              .formatted(file));
    }
    RunHistory history = new RunHistory();
    int maxSteps = root.path("max_steps").asInt(0);
    int last = 0;
    for (JsonNode line : log) {
      if (!line.isObject()) {
        continue;
      }
      checkRange(file, line);
      if (line.path("loss").isNumber()) {
        last = nextStep(file, line.path("step"), last);
        history.add(step(line, maxSteps));
      }
      for (String dataset : datasets(line)) {
        history.add(evaluation(line, dataset));
      }
    }
    if (history.steps().isEmpty()) {
      throw new DpoException(
          "[%s] has no logged step with a loss: log more often, or wait for the first one"
              .formatted(file));
    }
    return history;
  }

  /** Sums and exponentials of numbers that no run logs would be infinite. */
  private static void checkRange(Path file, JsonNode line) {
    for (Map.Entry<String, JsonNode> value : line.properties()) {
      double number = value.getValue().isNumber() ? value.getValue().asDouble() : 0;
      if (Double.isFinite(number) && Math.abs(number) > Float.MAX_VALUE) {
        throw new DpoException(
            "[%s] the numbers of logged steps must be in the range of float32, but %s at step %s is %s"
                .formatted(
                    file, value.getKey(), line.path("step").asString("?"), ShortNumber.of(number)));
      }
    }
  }

  private static int nextStep(Path file, JsonNode step, int last) {
    if (!step.canConvertToInt() || step.asDouble() != step.asInt() || step.asInt() <= last) {
      throw new DpoException(
          "[%s] the steps of logged losses must be whole numbers that grow, but %s follows %d"
              .formatted(file, step.isMissingNode() ? "no step" : step, last));
    }
    return step.asInt();
  }

  private static StepReport step(JsonNode line, int maxSteps) {
    return new StepReport(
        line.path("step").asInt(0),
        maxSteps,
        number(line, "epoch"),
        0,
        metrics(line, "", number(line, "loss")),
        number(line, "grad_norm"),
        number(line, "learning_rate"),
        line.path("num_tokens").asLong(0),
        number(line, "step_time"),
        number(line, "step_compute_time"));
  }

  private static Set<String> datasets(JsonNode line) {
    Set<String> datasets = new TreeSet<>();
    for (String name : line.propertyNames()) {
      Matcher matcher = EVALUATION_LOSS.matcher(name);
      if (matcher.matches() && line.get(name).isNumber()) {
        datasets.add(matcher.group(1) == null ? "" : matcher.group(1));
      }
    }
    return datasets;
  }

  private static EvaluationReport evaluation(JsonNode line, String dataset) {
    String prefix = MetricNames.prefix(dataset);
    double seconds = number(line, prefix + "runtime");
    double examples = seconds * number(line, prefix + "samples_per_second");
    // TRL names the loss of a set after the set, and its rewards without it.
    String ofRewards = line.has(prefix + "rewards/margins") ? prefix : MetricNames.prefix("");
    return new EvaluationReport(
        line.path("step").asInt(0),
        number(line, "epoch"),
        dataset,
        metrics(line, ofRewards, number(line, prefix + "loss")),
        Double.isFinite(examples) ? (int) Math.rint(examples) : 0,
        seconds);
  }

  private static TrainingMetrics metrics(JsonNode line, String prefix, double loss) {
    ExampleKind kind =
        line.has(prefix + "rewards/accuracies")
            ? ExampleKind.PAIRS
            : line.has(prefix + "kl") || line.has(prefix + "rewards/chosen")
                ? ExampleKind.LABELED
                : ExampleKind.DEMONSTRATIONS;
    return new TrainingMetrics(
        kind,
        loss,
        number(line, prefix + "rewards/chosen"),
        number(line, prefix + "rewards/rejected"),
        number(line, prefix + "rewards/accuracies"),
        number(line, prefix + "rewards/margins"),
        number(line, prefix + "logps/chosen"),
        number(line, prefix + "logps/rejected"),
        number(line, prefix + "logits/chosen"),
        number(line, prefix + "logits/rejected"),
        number(line, prefix + "entropy"),
        number(line, prefix + "mean_token_accuracy"),
        number(line, prefix + "kl"));
  }

  /** NaN if it is missing or null, as which NaN was written. */
  private static double number(JsonNode line, String name) {
    JsonNode value = line.path(name);
    return value.isNumber() ? value.asDouble() : Double.NaN;
  }
}
