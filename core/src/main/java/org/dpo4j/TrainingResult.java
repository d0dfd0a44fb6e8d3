package org.dpo4j;

import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * The result of a training run.
 *
 * @param endReason why the run ended
 * @param steps steps done
 * @param skippedSteps steps among them that were skipped because a number was not finite
 * @param maxSteps planned steps
 * @param epoch passes over the training pairs, as a fraction
 * @param examplesSeen pairs trained on, each counted as often as it was used
 * @param numTokens token ids trained on; a prompt counts once for each of its two completions
 * @param reports the logged steps, in order
 * @param evaluations the evaluations, in order: of each set before training, ..., of each set after
 *     it
 * @param seconds wall time from before the reference log-probabilities to after the final
 *     evaluation; loading and saving are not in it
 * @param referenceSeconds part of {@code seconds} that reference log-probabilities took
 * @param warnings what a person should look into, in order
 * @param outputFolder where the model or adapter is: the configured folder, absolute, links
 *     resolved
 * @param files the files in {@code outputFolder}, absolute, sorted; empty if nothing was saved,
 *     because the run was cancelled before its first step
 */
public record TrainingResult(
    EndReason endReason,
    int steps,
    int skippedSteps,
    int maxSteps,
    double epoch,
    long examplesSeen,
    long numTokens,
    List<StepReport> reports,
    List<EvaluationReport> evaluations,
    double seconds,
    double referenceSeconds,
    List<String> warnings,
    Path outputFolder,
    List<Path> files) {

  /**
   * Copies the lists.
   *
   * @param endReason why the run ended
   * @param steps steps done
   * @param skippedSteps steps skipped
   * @param maxSteps steps planned
   * @param epoch passes over the pairs
   * @param examplesSeen pairs trained on
   * @param numTokens tokens trained on
   * @param reports logged steps
   * @param evaluations evaluations in order
   * @param seconds wall time
   * @param referenceSeconds wall time of the reference
   * @param warnings what to look into
   * @param outputFolder where the model is
   * @param files files in it
   */
  public TrainingResult {
    reports = List.copyOf(reports);
    evaluations = List.copyOf(evaluations);
    warnings = List.copyOf(warnings);
    files = List.copyOf(files);
  }

  /**
   * The last logged step; empty if the run did no step.
   *
   * @return the report, or empty
   */
  public Optional<StepReport> finalReport() {
    return reports.isEmpty() ? Optional.empty() : Optional.of(reports.get(reports.size() - 1));
  }

  /**
   * The evaluations of one set of held-out examples.
   *
   * @param dataset its name; empty for a single set without a name
   * @return its evaluations, in order
   */
  public List<EvaluationReport> evaluations(String dataset) {
    return evaluations.stream().filter(report -> report.dataset().equals(dataset)).toList();
  }

  private List<EvaluationReport> ofFirstSet() {
    return evaluations.isEmpty() ? List.of() : evaluations(evaluations.get(0).dataset());
  }

  /**
   * The evaluation of the first set before training; empty without held-out pairs.
   *
   * @return the evaluation, or empty
   */
  public Optional<EvaluationReport> initialEvaluation() {
    return evaluations.stream().findFirst();
  }

  /**
   * The last evaluation of the first set, which is of the saved weights; empty without held-out
   * pairs.
   *
   * @return the evaluation, or empty
   */
  public Optional<EvaluationReport> finalEvaluation() {
    return ofFirstSet().stream().reduce((earlier, later) -> later);
  }

  /**
   * The evaluation of the first set with the lowest loss, the one before training included; the
   * earliest of several with that loss. Empty without held-out pairs. The saved weights are those
   * of {@link #finalEvaluation}, whichever is best.
   *
   * @return the evaluation, or empty
   */
  public Optional<EvaluationReport> bestEvaluation() {
    return ofFirstSet().stream()
        .filter(report -> Double.isFinite(report.metrics().loss()))
        .min(Comparator.comparingDouble(report -> report.metrics().loss()));
  }
}
