package org.dpo4j.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import org.dpo4j.train.EvaluationReport;
import org.dpo4j.train.PairMetrics;
import org.dpo4j.train.StepReport;

/**
 * What a finished run did, in a few sentences, and what a person should look into.
 *
 * @param history every report of the run
 * @param startLoss the loss before any weight moved, where theory gives it; else empty
 * @param beta scale of the rewards where they count from the start of the run; else empty
 * @param learningRate the highest of the run
 */
public record Conclusion(
    RunHistory history, OptionalDouble startLoss, OptionalDouble beta, double learningRate) {

  /** A loss that theory gives is off by less than this share, in a run that did nothing. */
  private static final double ABOVE_KNOWN_START = 0.05;

  /** The losses of different pairs differ by more than that, but not by this much. */
  private static final double ABOVE_FIRST_LOG = 0.25;

  private static final int FEWEST_REPORTS = 4;

  /** Where chosen answers lose this share of what rejected ones lose, text may get worse. */
  private static final double LOSES_MUCH = 0.5;

  /** Changes of a log-probability below this many nats are not worth a sentence. */
  private static final double VISIBLE = 0.1;

  /** Margins of few pairs fall by this many nats in a run that hardly does anything. */
  private static final double WRONG_WAY = 1;

  /** Sentences about the losses, the held-out pairs and the log-probabilities. */
  public List<String> summary() {
    List<String> lines = new ArrayList<>();
    history.lastStep().ifPresent(last -> lines.add(training(last)));
    if (compares()) {
      lines.addAll(heldOut(first().orElseThrow(), last().orElseThrow()));
    }
    movement().ifPresent(moved -> lines.addAll(moved.words()));
    return lines;
  }

  private String training(StepReport last) {
    double from = startLoss.orElse(history.steps().get(0).metrics().loss());
    return "training loss %s -> %s"
        .formatted(ShortNumber.of(from), ShortNumber.of(last.metrics().loss()));
  }

  private static List<String> heldOut(EvaluationReport first, EvaluationReport last) {
    PairMetrics before = first.metrics();
    PairMetrics after = last.metrics();
    return List.of(
        "%d held-out pairs: loss %s -> %s, reward margin %s -> %s"
            .formatted(
                last.pairs(),
                ShortNumber.of(before.loss()),
                ShortNumber.of(after.loss()),
                signed(before.tied() ? 0 : before.rewardsMargins()),
                signed(after.rewardsMargins())),
        "held-out accuracy %s%s: the share of pairs in which the model moved towards the chosen"
                .formatted(
                    before.tied() ? "" : percent(before.rewardsAccuracies()) + " -> ",
                    percent(after.rewardsAccuracies()))
            + " answer more than towards the rejected one");
  }

  /** What a person should look into; empty for a healthy run. */
  public List<String> warnings() {
    List<String> warnings = new ArrayList<>();
    lossRose().ifPresent(warnings::add);
    movement().filter(Movement::wrongWay).map(Movement::warning).ifPresent(warnings::add);
    return warnings;
  }

  private Optional<String> lossRose() {
    List<StepReport> steps = history.steps();
    if (steps.isEmpty()) {
      return Optional.empty();
    }
    String rate = ShortNumber.of(learningRate);
    double start = startLoss.orElse(steps.get(0).metrics().loss());
    double end = lateLoss(steps);
    boolean comparable = startLoss.isPresent() || steps.size() >= FEWEST_REPORTS;
    double tolerance = startLoss.isPresent() ? ABOVE_KNOWN_START : ABOVE_FIRST_LOG;
    if (comparable && end > start + tolerance * Math.abs(start)) {
      return Optional.of(
          "the training loss ended above its start (%s -> %s): the model got worse"
                  .formatted(ShortNumber.of(start), ShortNumber.of(end))
              + "; lower --learning_rate (it was %s)".formatted(rate));
    }
    if (!compares()) {
      return Optional.empty();
    }
    double before = first().orElseThrow().metrics().loss();
    double after = last().orElseThrow().metrics().loss();
    return after > before + ABOVE_KNOWN_START * Math.abs(before)
        ? Optional.of(
            "the loss of the held-out pairs ended above its start (%s -> %s): what was learned does"
                    .formatted(ShortNumber.of(before), ShortNumber.of(after))
                + " not carry over to pairs that were not trained on; train for fewer epochs, with"
                + " a lower --learning_rate (it was %s) or on more pairs".formatted(rate))
        : Optional.empty();
  }

  /** The mean of the last quarter: a single line of few pairs is noise. */
  private static double lateLoss(List<StepReport> steps) {
    int late = Math.max(1, steps.size() / 4);
    return steps.subList(steps.size() - late, steps.size()).stream()
        .mapToDouble(report -> report.metrics().loss())
        .average()
        .orElse(Double.NaN);
  }

  private Optional<EvaluationReport> first() {
    return history.evaluations().stream().findFirst();
  }

  private Optional<EvaluationReport> last() {
    return history.lastEvaluation();
  }

  private boolean compares() {
    return last().isPresent() && last().get().step() > first().orElseThrow().step();
  }

  /** How the log-probabilities of both sides moved; held-out pairs where there are any. */
  private Optional<Movement> movement() {
    if (compares()) {
      PairMetrics before = first().orElseThrow().metrics();
      PairMetrics after = last().orElseThrow().metrics();
      return Optional.of(
          new Movement(
              "held-out pairs",
              after.logpsChosen() - before.logpsChosen(),
              after.logpsRejected() - before.logpsRejected(),
              after.rewardsAccuracies()));
    }
    // Batches differ in their texts, so the logged log-probabilities cannot be compared; the
    // rewards count from the reference, which is the start.
    return beta.isPresent()
        ? history
            .lastStep()
            .map(
                last ->
                    new Movement(
                        "training pairs of the last logged steps",
                        last.metrics().rewardsChosen() / beta.getAsDouble(),
                        last.metrics().rewardsRejected() / beta.getAsDouble(),
                        last.metrics().rewardsAccuracies()))
        : Optional.empty();
  }

  /**
   * What it means when the mean log-probabilities of both sides move so, in a sentence.
   *
   * @param chosen by how many nats the chosen answers moved
   * @param rejected by how many nats the rejected ones moved
   */
  public static String meaning(double chosen, double rejected) {
    if (Math.abs(chosen) < VISIBLE && Math.abs(rejected) < VISIBLE) {
      return "Hardly anything moved: train longer or raise the learning rate to learn more.";
    }
    if (chosen <= rejected) {
      return "The rejected answers gained on the chosen ones, which is the wrong way.";
    }
    if (rejected >= 0) {
      return "Both sides became more likely, the chosen answers more.";
    }
    if (chosen >= 0) {
      return "The chosen answers became more likely and the rejected ones less: what DPO is for.";
    }
    return chosen < LOSES_MUCH * rejected
        ? "Both sides became less likely, the rejected answers more. The chosen ones lost much too:"
            + " read the sample answers; if they got worse, lower the learning rate, raise beta or"
            + " train for fewer epochs."
        : "Both sides became less likely, the rejected answers far more. That is normal: DPO widens"
            + " the gap between the two and does not hold the chosen answers where they were.";
  }

  /** Changes in nats, means over pairs, and the share of pairs whose reward margin is positive. */
  private record Movement(String pairs, double chosen, double rejected, double accuracy) {

    List<String> words() {
      if (!Double.isFinite(chosen) || !Double.isFinite(rejected)) {
        return List.of();
      }
      return List.of(
          "log-probabilities of the %s: chosen %s nats, rejected %s nats"
              .formatted(pairs, nats(chosen), nats(rejected)),
          meaning(chosen, rejected));
    }

    boolean wrongWay() {
      return chosen - rejected < -WRONG_WAY && accuracy < 0.5;
    }

    String warning() {
      return ("the rejected answers of the %s gained on the chosen ones (chosen %s nats, rejected %s"
              + " nats); check that the columns are not swapped, and lower --learning_rate")
          .formatted(pairs, nats(chosen), nats(rejected));
    }

    private static String nats(double change) {
      return Math.abs(change) < 1e5
          ? String.format(Locale.ROOT, "%+.1f", change)
          : ShortNumber.of(change);
    }
  }

  private static String percent(double share) {
    return String.format(Locale.ROOT, "%.1f %%", 100 * share);
  }

  private static String signed(double value) {
    return Math.abs(value) < 1e5
        ? String.format(Locale.ROOT, "%+.3f", value)
        : ShortNumber.of(value);
  }
}
