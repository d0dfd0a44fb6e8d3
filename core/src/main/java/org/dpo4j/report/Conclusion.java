package org.dpo4j.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import org.dpo4j.EvaluationReport;
import org.dpo4j.OptionText;
import org.dpo4j.PairMetrics;
import org.dpo4j.StepReport;

/**
 * The outcome of a run in a few sentences, and warnings about it.
 *
 * @param history every report of the run
 * @param startLoss loss before the first update, if theory determines it
 * @param beta scale of the rewards, if they are relative to the start of the run
 * @param learningRate highest learning rate of the run
 * @param reference whether rewards are relative to a reference
 */
public record Conclusion(
    RunHistory history,
    OptionalDouble startLoss,
    OptionalDouble beta,
    double learningRate,
    boolean reference) {

  /** Tolerance, as a share, for a rise above a start loss that is known exactly. */
  private static final double ABOVE_KNOWN_START = 0.05;

  /** Tolerance, as a share, for a rise above the first logged loss, which is of other pairs. */
  private static final double ABOVE_FIRST_LOG = 0.25;

  private static final int FEWEST_REPORTS = 4;

  /**
   * The final loss is the mean of the last tenth of the steps; a short run uses this many steps.
   */
  private static final int FEWEST_STEPS = 8;

  /** Texts may get worse if chosen answers lose more than this share of what rejected ones lose. */
  private static final double LOSES_MUCH = 0.5;

  /** Changes of a log-probability below this many nats count as none. */
  private static final double VISIBLE = 0.1;

  /** Margins of few pairs can fall by this many nats even if a run hardly changes the model. */
  private static final double WRONG_WAY = 1;

  /** Sentences about the losses, the held-out pairs and the log-probabilities. */
  public List<String> summary() {
    List<String> lines = new ArrayList<>();
    training().ifPresent(loss -> lines.add("training loss " + loss.words()));
    if (compares()) {
      lines.addAll(heldOut(first().orElseThrow(), last().orElseThrow()));
    }
    movement().ifPresent(moved -> lines.add(moved.words()));
    worse().or(() -> movement().map(Movement::meaning)).ifPresent(lines::add);
    return lines;
  }

  /**
   * States that the run made the model worse, judged by held-out pairs or, without any, by training
   * pairs.
   */
  private Optional<String> worse() {
    Optional<Losses> judge = evaluated().or(this::training);
    return judge.filter(Losses::rose).isEmpty()
        ? Optional.empty()
        : Optional.of(
            "The run made the model worse: the loss of the %s pairs rose."
                .formatted(compares() ? "held-out" : "training"));
  }

  private List<String> heldOut(EvaluationReport first, EvaluationReport last) {
    PairMetrics before = first.metrics();
    PairMetrics after = last.metrics();
    List<String> lines = new ArrayList<>();
    lines.add(
        "%s: loss %s -> %s, reward margin %s -> %s"
            .formatted(
                ShortNumber.count(last.pairs(), "held-out pair"),
                ShortNumber.of(before.loss()),
                ShortNumber.of(after.loss()),
                ShortNumber.fixed("%+.3f", before.tied() ? 0 : before.rewardsMargins()),
                ShortNumber.fixed("%+.3f", after.rewardsMargins())));
    if (!after.tied()) { // for ties the accuracy is 0 and has no meaning
      lines.add(
          "held-out accuracy %s%s: the share of pairs in which %s"
              .formatted(
                  before.tied() ? "" : percent(before.rewardsAccuracies()) + " -> ",
                  percent(after.rewardsAccuracies()),
                  reference
                      ? "the model prefers the chosen answer more than the reference does"
                      : "the model gives the chosen answer the higher reward"));
    }
    return lines;
  }

  /** Warnings that a person should look into; empty for a healthy run. */
  public List<String> warnings() {
    List<String> warnings = new ArrayList<>();
    lossRose().ifPresent(warnings::add);
    movement().filter(Movement::wrongWay).map(Movement::warning).ifPresent(warnings::add);
    return warnings;
  }

  private Optional<String> lossRose() {
    Optional<Losses> trained = training().filter(Losses::rose);
    Optional<Losses> evaluated = evaluated();
    String rate = OptionText.of("{learning_rate} (it was %s)", ShortNumber.of(learningRate));
    if (trained.isPresent()) {
      String rose = "the training loss ended above its start (%s)".formatted(trained.get().range());
      if (evaluated.isEmpty()) {
        return Optional.of(rose + ": the model got worse; lower " + rate);
      }
      String held = "the loss of the held-out pairs";
      String range = evaluated.get().range();
      return Optional.of(
          evaluated.get().fell()
              ? "%s while %s fell (%s): some training pairs contradict the others (swapped labels? see"
                      .formatted(rose, held, range)
                  + " docs/how-to/find-mislabelled-pairs.md), or the rate is too high; check the"
                  + " pairs, then lower "
                  + rate
              : "%s, and %s did not fall (%s): the model got worse; lower %s"
                  .formatted(rose, held, range, rate));
    }
    return evaluated
        .filter(Losses::rose)
        .map(
            loss ->
                "the loss of the held-out pairs ended above its start (%s): what was learned does"
                        .formatted(loss.range())
                    + " not carry over to pairs that were not trained on; train for fewer epochs,"
                    + " with a lower %s or on more pairs".formatted(rate));
  }

  /**
   * The training loss. A single line may cover one batch and be noisy. The final loss is therefore
   * the mean of the last lines that cover a tenth of the steps, but at least {@value #FEWEST_STEPS}
   * and at most half.
   */
  private Optional<Losses> training() {
    List<StepReport> steps = history.steps();
    if (steps.isEmpty()) {
      return Optional.empty();
    }
    int all = steps.get(steps.size() - 1).step();
    int wanted = Math.min(Math.max(FEWEST_STEPS, all / 10), all / 2);
    int first = steps.size() - 1;
    while (first > 0 && all - steps.get(first - 1).step() < wanted) {
      first--;
    }
    double start = startLoss.orElse(steps.get(0).metrics().loss());
    double tolerance =
        startLoss.isPresent()
            ? ABOVE_KNOWN_START * Math.abs(start)
            : steps.size() >= FEWEST_REPORTS
                ? ABOVE_FIRST_LOG * Math.abs(start)
                : Double.POSITIVE_INFINITY;
    return Optional.of(
        new Losses(
            start,
            history.meanLoss(first),
            tolerance,
            all - (first == 0 ? 0 : steps.get(first - 1).step())));
  }

  /** The loss of the held-out pairs, if they were evaluated before and after training. */
  private Optional<Losses> evaluated() {
    if (!compares()) {
      return Optional.empty();
    }
    double start = first().orElseThrow().metrics().loss();
    double end = last().orElseThrow().metrics().loss();
    return Optional.of(new Losses(start, end, ABOVE_KNOWN_START * Math.abs(start), 0));
  }

  /**
   * A loss at the start and at the end.
   *
   * @param tolerance how far the end may lie above the start
   * @param steps over which the end is the mean; 0 for one evaluation
   */
  private record Losses(double start, double end, double tolerance, int steps) {

    /** True for NaN as well. */
    boolean rose() {
      return !(end - start <= tolerance);
    }

    boolean fell() {
      return end < start;
    }

    String range() {
      return ShortNumber.of(start) + " -> " + ShortNumber.of(end);
    }

    String words() {
      return "%s (%s)"
          .formatted(
              range(),
              steps == 1 ? "the last step" : "mean of the last %,d steps".formatted(steps));
    }
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

  /** How the log-probabilities of both sides changed, on held-out pairs if there are any. */
  private Optional<Movement> movement() {
    return moved().filter(moved -> Double.isFinite(moved.chosen() - moved.rejected()));
  }

  private Optional<Movement> moved() {
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
    // Batches have different texts, so logged log-probabilities cannot be compared. Rewards can:
    // they are relative to the reference, which is the start model.
    return beta.isPresent()
        ? history
            .lastStep()
            .map(
                last ->
                    new Movement(
                        "the training pairs of the last logged steps",
                        last.metrics().rewardsChosen() / beta.getAsDouble(),
                        last.metrics().rewardsRejected() / beta.getAsDouble(),
                        last.metrics().rewardsAccuracies()))
        : Optional.empty();
  }

  /**
   * Explains the changes of the mean log-probabilities of both sides in a sentence.
   *
   * @param chosen change of the chosen answers in nats
   * @param rejected change of the rejected answers in nats
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

  /** Mean changes over pairs in nats, and the share of pairs with a positive reward margin. */
  private record Movement(String pairs, double chosen, double rejected, double accuracy) {

    String words() {
      return "change of the log-probability of %s: chosen %s nats, rejected %s nats"
          .formatted(pairs, nats(chosen), nats(rejected));
    }

    String meaning() {
      return Conclusion.meaning(chosen, rejected);
    }

    boolean wrongWay() {
      return chosen - rejected < -WRONG_WAY && accuracy < 0.5;
    }

    String warning() {
      return OptionText.of(
          "the rejected answers of %s gained on the chosen ones (chosen %s nats, rejected %s"
              + " nats); check that the columns are not swapped, and lower {learning_rate}",
          pairs, nats(chosen), nats(rejected));
    }

    private static String nats(double change) {
      return ShortNumber.fixed("%+.1f", change);
    }
  }

  private static String percent(double share) {
    return String.format(Locale.ROOT, "%.1f %%", 100 * share);
  }
}
