package org.dpo4j.report;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import org.dpo4j.EvaluationReport;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingMetrics;

/**
 * What the curves of a run say about it: each symptom with the numbers that it rests on and what to
 * do. A threshold is where every run that was made to show the symptom lies beyond it and no
 * healthy run does; {@code DiagnosesTest} has these runs.
 */
final class Diagnoses {

  /** What can be wrong. */
  enum Symptom {
    /** No weight gets a gradient. */
    NO_GRADIENT,
    /** The policy before its first update is not the reference. */
    NOT_AT_REFERENCE,
    /** The policy is still the reference. */
    HARDLY_MOVED,
    /** The loss jumps far above its start again and again. */
    UNSTABLE,
    /** Held-out pairs got worse while training pairs got better. */
    OVER_OPTIMISED,
    /** Training pairs leave hardly a gradient. */
    SATURATED,
    /** The chosen answers lost much of their probability. */
    DISPLACED,
    /** The next-token distribution narrowed to few tokens. */
    NARROWED
  }

  /** A quarter of the reports is compared with another, since a single one is noisy. */
  static final int FEWEST_REPORTS = 8;

  /** Fewer steps do not tell whether the policy moves. */
  static final int FEWEST_STEPS = 20;

  /** Rewards before the first update are 0; in bfloat16 they are off by less than this. */
  private static final double REWARD_ROUNDING = 0.5;

  /** A loss and a mean margin that change by less are those of the start. */
  private static final double STILL = 0.01;

  private static final double JUMP = 2;
  private static final double SHARE_OF_JUMPS = 0.15;
  private static final int FEWEST_JUMPS = 3;

  /** How far above its lowest value a held-out loss ends, as a share of the first one. */
  private static final double ABOVE_BEST = 0.1;

  /** A loss of training pairs below this share of its start leaves hardly a gradient. */
  private static final double SPENT = 0.02;

  /** The part of a run, from its end, in which they do so. */
  private static final double SPENT_PART = 0.6;

  private static final double ALL_RIGHT = 0.999;

  /** A loss of log-probability: as a share of where it was, and in nats. */
  private static final double LOST_SHARE = 0.2;

  private static final double LOST_NATS = 10;

  private static final double ENTROPY_FACTOR = 2;

  private final RunHistory history;
  private final double learningRate;
  private final List<StepReport> steps;
  private final Map<Symptom, String> found = new EnumMap<>(Symptom.class);

  private Diagnoses(RunHistory history, double learningRate) {
    this.history = history;
    this.learningRate = learningRate;
    this.steps = history.steps();
  }

  /**
   * The symptoms of a run of pairs; of other kinds of examples, that of the gradient alone.
   *
   * @param learningRate the highest of the run
   * @param startsAtReference whether the rewards before the first update are to be 0
   * @return what was found, in the order of {@link Symptom}; empty for a healthy run
   */
  static Map<Symptom, String> of(
      RunHistory history, double learningRate, boolean startsAtReference) {
    Diagnoses diagnoses = new Diagnoses(history, learningRate);
    diagnoses.gradient();
    if (history.kind() == ExampleKind.PAIRS) {
      if (startsAtReference) {
        diagnoses.start();
      }
      diagnoses.movement();
      diagnoses.stability();
      diagnoses.heldOut();
      diagnoses.saturation();
      diagnoses.displacement();
      diagnoses.entropy();
    }
    return diagnoses.found;
  }

  private void gradient() {
    if (steps.size() > 1 && steps.stream().allMatch(step -> step.gradNorm() == 0)) {
      found.put(
          Symptom.NO_GRADIENT,
          "no weight got a gradient: the norm is 0 in all %d logged steps; an adapter whose two matrices are 0 stays dead, and so do pairs whose answers are equal"
              .formatted(steps.size()));
    }
  }

  private void start() {
    Optional<TrainingMetrics> first =
        history.evaluations().stream()
            .filter(report -> report.step() == 0)
            .map(EvaluationReport::metrics)
            .findFirst()
            .or(
                () ->
                    steps.stream()
                        .filter(report -> report.step() == 1)
                        .map(StepReport::metrics)
                        .findFirst());
    first
        .filter(
            metrics ->
                Math.abs(metrics.rewardsChosen()) > REWARD_ROUNDING
                    || Math.abs(metrics.rewardsRejected()) > REWARD_ROUNDING)
        .ifPresent(
            metrics ->
                found.put(
                    Symptom.NOT_AT_REFERENCE,
                    "the policy does not start at its reference: before the first update the rewards are %s and %s, where 0 is expected; this is right if another reference was named, or a trained adapter continued"
                        .formatted(
                            ShortNumber.of(metrics.rewardsChosen()),
                            ShortNumber.of(metrics.rewardsRejected()))));
  }

  private void movement() {
    int last = lastStep();
    if (found.containsKey(Symptom.NO_GRADIENT) || last < FEWEST_STEPS) {
      return;
    }
    double start = steps.get(0).metrics().loss();
    double end = mean(lastQuarter(), TrainingMetrics::loss);
    double margin = mean(lastQuarter(), TrainingMetrics::rewardsMargins);
    boolean heldOutStill =
        history.heldOut().stream()
            .allMatch(
                set ->
                    still(set.first().metrics().loss(), set.last().metrics().loss())
                        && Math.abs(set.last().metrics().rewardsMargins()) < 2 * STILL);
    if (still(start, end) && Math.abs(margin) < 2 * STILL && heldOutStill) {
      found.put(
          Symptom.HARDLY_MOVED,
          OptionText.of(
              "the policy hardly moved: after %d steps the loss is %s (%s at the start) and the mean reward margin %s; raise {learning_rate} (it was %s), tenfold is a fair try",
              last,
              ShortNumber.of(end),
              ShortNumber.of(start),
              ShortNumber.fixed("%+.4f", margin),
              ShortNumber.of(learningRate)));
    }
  }

  private static boolean still(double start, double end) {
    return Math.abs(end - start) < STILL * Math.abs(start);
  }

  private void stability() {
    if (steps.size() < FEWEST_REPORTS) {
      return;
    }
    double start = history.startLoss().orElse(steps.get(0).metrics().loss());
    List<StepReport> jumps =
        steps.stream()
            .filter(report -> report.step() > lastStep() / 10)
            .filter(report -> report.metrics().loss() > JUMP * Math.abs(start))
            .toList();
    if (jumps.size() >= Math.max(FEWEST_JUMPS, SHARE_OF_JUMPS * steps.size())) {
      StepReport worst =
          jumps.stream()
              .max(Comparator.comparingDouble(report -> report.metrics().loss()))
              .orElseThrow();
      found.put(
          Symptom.UNSTABLE,
          OptionText.of(
              "the run is unstable: %d of %d logged losses are more than twice that of the start (%s), the largest %s at step %d; lower {learning_rate} (it was %s), or lengthen the warmup",
              jumps.size(),
              steps.size(),
              ShortNumber.of(start),
              ShortNumber.of(worst.metrics().loss()),
              worst.step(),
              ShortNumber.of(learningRate)));
    }
  }

  private void heldOut() {
    for (RunHistory.HeldOut set : history.heldOut()) {
      List<EvaluationReport> reports = history.evaluations(set.last().dataset());
      EvaluationReport best =
          reports.stream()
              .min(Comparator.comparingDouble(report -> report.metrics().loss()))
              .orElseThrow();
      double lowest = best.metrics().loss();
      double end = set.last().metrics().loss();
      double rise = ABOVE_BEST * Math.abs(set.first().metrics().loss());
      List<StepReport> before = steps.stream().filter(s -> s.step() <= best.step()).toList();
      List<StepReport> after = steps.stream().filter(s -> s.step() > best.step()).toList();
      if (!(end - lowest > rise) || before.isEmpty() || after.isEmpty()) {
        continue;
      }
      double marginBefore = mean(before, TrainingMetrics::rewardsMargins);
      double marginAfter = mean(after, TrainingMetrics::rewardsMargins);
      if (marginAfter > marginBefore) {
        found.put(
            Symptom.OVER_OPTIMISED,
            OptionText.of(
                "the run is over-optimised: the loss of the held-out pairs%s was lowest at step %d (%s) and ended at %s, while the margin of the training pairs grew from %s to %s; train for fewer epochs, or keep the best checkpoint with {load_best_model_at_end}",
                set.of(),
                best.step(),
                ShortNumber.of(lowest),
                ShortNumber.of(end),
                ShortNumber.fixed("%+.2f", marginBefore),
                ShortNumber.fixed("%+.2f", marginAfter)));
        return;
      }
    }
  }

  private void saturation() {
    if (steps.size() < FEWEST_REPORTS) {
      return;
    }
    double start = Math.abs(history.startLoss().orElse(steps.get(0).metrics().loss()));
    List<StepReport> spent = new ArrayList<>();
    for (int i = steps.size() - 1; i >= 0 && isSpent(steps.get(i).metrics(), start); i--) {
      spent.add(0, steps.get(i));
    }
    if (spent.size() >= SPENT_PART * steps.size()) {
      found.put(
          Symptom.SATURATED,
          "the training pairs are used up: from step %d on all of them are right and the mean loss is %s (%s at the start), so that further steps change little; train for fewer epochs, or on more and harder pairs"
              .formatted(
                  spent.get(0).step(),
                  ShortNumber.of(mean(spent, TrainingMetrics::loss)),
                  ShortNumber.of(start)));
    }
  }

  private static boolean isSpent(TrainingMetrics metrics, double start) {
    // Some losses fall below 0, where they still have a gradient.
    return Math.abs(metrics.loss()) < SPENT * start && metrics.rewardsAccuracies() >= ALL_RIGHT;
  }

  private void displacement() {
    for (RunHistory.HeldOut set : history.heldOut()) {
      double before = set.first().metrics().logpsChosen();
      double lost = before - set.last().metrics().logpsChosen();
      if (lost > LOST_NATS && lost > LOST_SHARE * Math.abs(before)) {
        double rejected =
            set.last().metrics().logpsRejected() - set.first().metrics().logpsRejected();
        found.put(
            Symptom.DISPLACED,
            OptionText.of(
                "the chosen answers were displaced: those of the held-out pairs%s lost %s nats of log-probability, %s %% of where they were (rejected ones: %s nats), so the model prefers other texts to both; read sample answers, and lower {learning_rate} (it was %s), raise {beta}, or add {loss_type} sft",
                set.of(),
                ShortNumber.fixed("%.1f", lost),
                ShortNumber.fixed("%.0f", 100 * lost / Math.abs(before)),
                ShortNumber.fixed("%+.1f", rejected),
                ShortNumber.of(learningRate)));
        return;
      }
    }
  }

  private void entropy() {
    if (steps.size() < FEWEST_REPORTS) {
      return;
    }
    double before = mean(steps.subList(0, steps.size() / 4), TrainingMetrics::entropy);
    double after = mean(lastQuarter(), TrainingMetrics::entropy);
    if (after < before / ENTROPY_FACTOR) {
      found.put(
          Symptom.NARROWED,
          OptionText.of(
              "the model became narrow: the entropy of its next token fell from %s to %s nats, so answers may repeat themselves; read sample answers, and lower {learning_rate} (it was %s) or train for fewer epochs",
              ShortNumber.of(before), ShortNumber.of(after), ShortNumber.of(learningRate)));
    }
  }

  private int lastStep() {
    return steps.isEmpty() ? 0 : steps.get(steps.size() - 1).step();
  }

  private List<StepReport> lastQuarter() {
    return steps.subList(steps.size() - Math.max(1, steps.size() / 4), steps.size());
  }

  private static double mean(List<StepReport> reports, ToDoubleFunction<TrainingMetrics> value) {
    return reports.stream()
        .map(StepReport::metrics)
        .mapToDouble(value)
        .average()
        .orElse(Double.NaN);
  }
}
