package org.dpo4j.report;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalLong;
import org.dpo4j.EvaluationReport;
import org.dpo4j.StepReport;

/**
 * The totals of a run, as in {@code train_results.json}, {@code eval_results.json} and {@code
 * all_results.json}.
 *
 * @param history every report of the run
 * @param trainPairs number of training pairs
 * @param examplesSeen pairs trained on, each counted as often as it was used
 * @param skippedSteps steps that were skipped because a number was not finite
 * @param trainSeconds wall time from before the reference log-probabilities to after the final
 *     evaluation
 * @param referenceSeconds part of {@code trainSeconds} that reference log-probabilities took
 * @param peakMemory peak memory of the process so far, in bytes; empty if unknown
 */
public record Results(
    RunHistory history,
    int trainPairs,
    long examplesSeen,
    int skippedSteps,
    double trainSeconds,
    double referenceSeconds,
    OptionalLong peakMemory) {

  /** Training: {@code train_loss}, times and rates; {@code eval_runtime} covers all evaluations. */
  public Map<String, Number> train() {
    int steps = history.lastStep().map(StepReport::step).orElse(0);
    Map<String, Number> named = new LinkedHashMap<>();
    named.put("train_runtime", MetricNames.round(trainSeconds, 4));
    named.put("reference_runtime", MetricNames.round(referenceSeconds, 4));
    named.put(
        "eval_runtime",
        MetricNames.round(
            history.evaluations().stream().mapToDouble(EvaluationReport::seconds).sum(), 4));
    named.put("train_samples", trainPairs);
    if (trainSeconds > 0) {
      named.put("train_samples_per_second", MetricNames.round(examplesSeen / trainSeconds, 3));
      named.put("train_steps_per_second", MetricNames.round(steps / trainSeconds, 3));
    }
    peakMemory.ifPresent(bytes -> named.put("peak_memory_bytes", bytes));
    if (skippedSteps > 0) {
      named.put("skipped_steps", skippedSteps);
    }
    named.put("train_loss", history.meanLoss());
    named.put("epoch", history.lastStep().map(StepReport::epoch).orElse(0.0));
    return named;
  }

  /** The last evaluation of each set, under the names of evaluations; empty if there was none. */
  public Map<String, Number> evaluation() {
    Map<String, Number> named = new LinkedHashMap<>();
    for (RunHistory.HeldOut set : history.heldOut()) {
      named.putAll(MetricNames.of(set.last()));
      named.put(MetricNames.prefix(set.last().dataset()) + "samples", set.last().examples());
    }
    return named;
  }

  /** Both, merged as in transformers: if both have a name, the evaluation's value is used. */
  public Map<String, Number> all() {
    Map<String, Number> named = new LinkedHashMap<>(train());
    named.putAll(evaluation());
    return named;
  }

  /** Writes {@code train_results.json}, with indent 4 and sorted keys like the two others. */
  public void writeTrain(Path file) throws IOException {
    JsonFile.write(file, train(), 4);
  }

  /** Writes {@code eval_results.json}. */
  public void writeEvaluation(Path file) throws IOException {
    JsonFile.write(file, evaluation(), 4);
  }

  /** Writes {@code all_results.json}. */
  public void writeAll(Path file) throws IOException {
    JsonFile.write(file, all(), 4);
  }
}
