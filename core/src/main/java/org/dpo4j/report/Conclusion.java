package org.dpo4j.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import org.dpo4j.EvaluationReport;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingMetrics;

/**
 * The outcome of a run in a few sentences, and warnings about it.
 *
 * @param history every report of the run
 * @param startLoss loss before the first update, if theory determines it
 * @param beta scale of the rewards, if they are relative to the start of the run
 * @param learningRate highest learning rate of the run
 * @param reference whether rewards are relative to a reference
 * @param atReference whether the policy starts at that reference, as far as is known
 */
public record Conclusion(
    RunHistory history,
    OptionalDouble startLoss,
    OptionalDouble beta,
    double learningRate,
    boolean reference,
    boolean atReference) {

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

  /** Smaller changes are shown as 0.0. */
  private static final double SHOWN = 0.05;

  /** Margins of few pairs can fall by this many nats even if a run hardly changes the model. */
  private static final double WRONG_WAY = 1;

  /** Sentences about the losses, the held-out examples and the log-probabilities. */
  public List<String> summary() {
    List<String> lines = new ArrayList<>();
    training().ifPresent(loss -> lines.add("training loss " + loss.words()));
    comparisons().forEach(sides -> lines.addAll(heldOut(sides)));
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
            "The run made the model worse: the loss of the %s %ss rose."
                .formatted(evaluated().isPresent() ? "held-out" : "training", noun()));
  }

  private List<String> heldOut(RunHistory.HeldOut sides) {
    EvaluationReport last = sides.last();
    TrainingMetrics before = sides.first().metrics();
    TrainingMetrics after = last.metrics();
    List<String> lines = new ArrayList<>();
    lines.add(
        "%s%s: loss %s -> %s%s"
            .formatted(
                last.examples() == 0
                    ? "held-out %ss".formatted(noun()) // a log without the time that they took
                    : ShortNumber.count(last.examples(), "held-out " + noun()),
                sides.of(),
                ShortNumber.of(before.loss()),
                ShortNumber.of(after.loss()),
                after.kind() == ExampleKind.DEMONSTRATIONS
                    ? perplexity(before, after)
                    : ", reward margin %s -> %s"
                        .formatted(
                            ShortNumber.fixed("%+.3f", before.tied() ? 0 : before.rewardsMargins()),
                            ShortNumber.fixed("%+.3f", after.rewardsMargins()))));
    // for ties the accuracy is 0 and has no meaning
    if (after.kind() == ExampleKind.PAIRS && !after.tied()) {
      lines.add(
          "held-out accuracy%s %s%s: the share of pairs in which %s"
              .formatted(
                  sides.of(),
                  before.tied() ? "" : percent(before.rewardsAccuracies()) + " -> ",
                  percent(after.rewardsAccuracies()),
                  reference
                      ? "the model prefers the chosen answer more than the reference does"
                      : "the model gives the chosen answer the higher reward"));
    }
    return lines;
  }

  /** Empty where the loss may be none of tokens, as of a classifier in a log of transformers. */
  private static String perplexity(TrainingMetrics before, TrainingMetrics after) {
    double first = Math.exp(before.loss());
    double last = Math.exp(after.loss());
    boolean ofTokens =
        Double.isFinite(after.meanTokenAccuracy()) || Double.isFinite(after.entropy());
    return ofTokens && Double.isFinite(first + last)
        ? ", perplexity %s -> %s".formatted(ShortNumber.of(first), ShortNumber.of(last))
        : "";
  }

  /** Whether too few steps were done to tell whether the policy moves. */
  public boolean isShort() {
    return history.lastStep().map(StepReport::step).orElse(0) < Diagnoses.FEWEST_STEPS;
  }

  /** Warnings that a person should look into; empty for a healthy run. */
  public List<String> warnings() {
    List<String> warnings = new ArrayList<>();
    lossRose().ifPresent(warnings::add);
    comparisons().stream()
        .skip(1)
        .filter(sides -> losses(sides).rose())
        .map(this::doesNotCarryOver)
        .forEach(warnings::add);
    movement().filter(Movement::wrongWay).map(Movement::warning).ifPresent(warnings::add);
    warnings.addAll(Diagnoses.of(history, learningRate, atReference).values());
    return warnings;
  }

  private Optional<String> lossRose() {
    Optional<Losses> trained = training().filter(Losses::rose);
    Optional<RunHistory.HeldOut> held = comparisons().stream().findFirst();
    Optional<Losses> evaluated = held.map(Conclusion::losses);
    String rate = rate();
    if (trained.isPresent()) {
      String rose = "the training loss ended above its start (%s)".formatted(trained.get().range());
      if (evaluated.isEmpty()) {
        return Optional.of(rose + ": the model got worse; lower " + rate);
      }
      String heldLoss = "the loss of the held-out %ss%s".formatted(noun(), held.get().of());
      String range = evaluated.get().range();
      return Optional.of(
          evaluated.get().fell()
              ? "%s while %s fell (%s): some training pairs contradict the others (swapped labels? see"
                      .formatted(rose, heldLoss, range)
                  + " docs/how-to/find-mislabelled-pairs.md), or the rate is too high; check the"
                  + " pairs, then lower "
                  + rate
              : "%s, and %s did not fall (%s): the model got worse; lower %s"
                  .formatted(rose, heldLoss, range, rate));
    }
    return held.filter(sides -> losses(sides).rose()).map(this::doesNotCarryOver);
  }

  private String doesNotCarryOver(RunHistory.HeldOut sides) {
    return ("the loss of the held-out %2$ss%4$s ended above its start (%1$s): what was learned does"
            + " not carry over to %2$ss that were not trained on; train for fewer"
            + " epochs, with a lower %3$s or on more %2$ss")
        .formatted(losses(sides).range(), noun(), rate(), sides.of());
  }

  private String rate() {
    return OptionText.of("{learning_rate} (it was %s)", ShortNumber.of(learningRate));
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

  /** The loss of the first set of held-out pairs that judges the run; empty without one. */
  private Optional<Losses> evaluated() {
    return comparisons().stream().findFirst().map(Conclusion::losses);
  }

  /** The sets that were evaluated before and after training. The first one judges the run. */
  private List<RunHistory.HeldOut> comparisons() {
    return history.heldOut().stream().filter(RunHistory.HeldOut::compares).toList();
  }

  private static Losses losses(RunHistory.HeldOut set) {
    double start = set.first().metrics().loss();
    return new Losses(start, set.last().metrics().loss(), ABOVE_KNOWN_START * Math.abs(start), 0);
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

  private String noun() {
    return history.kind().noun();
  }

  /** How the log-probabilities of both sides changed, on held-out pairs if there are any. */
  private Optional<Movement> movement() {
    return moved().filter(moved -> Double.isFinite(moved.chosen() - moved.rejected()));
  }

  private Optional<Movement> moved() {
    Optional<RunHistory.HeldOut> held = comparisons().stream().findFirst();
    if (held.isPresent()) {
      TrainingMetrics before = held.get().first().metrics();
      TrainingMetrics after = held.get().last().metrics();
      return Optional.of(
          new Movement(
              history.kind(),
              "held-out %ss%s".formatted(noun(), held.get().of()),
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
                        history.kind(),
                        "the training %ss of the last logged steps".formatted(noun()),
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
    return meaning(ExampleKind.PAIRS, chosen, rejected);
  }

  /** As above, in the words for a kind of examples. */
  private static String meaning(ExampleKind kind, double chosen, double rejected) {
    String better = better(kind);
    String worse = worse(kind);
    String method = kind == ExampleKind.PAIRS ? "DPO" : "preference tuning";
    if (Math.abs(chosen) < VISIBLE && Math.abs(rejected) < VISIBLE) {
      return "Hardly anything moved: train longer or raise the learning rate to learn more.";
    }
    if (chosen <= rejected) {
      return "The %s answers gained on the %s ones, which is the wrong way."
          .formatted(worse, better);
    }
    if (Math.abs(chosen) < SHOWN) {
      return "The %s answers became less likely, the %s ones stayed where they were: what %s is for."
          .formatted(worse, better, method);
    }
    if (Math.abs(rejected) < SHOWN) {
      return "The %s answers became more likely, the %s ones stayed where they were: what %s is for."
          .formatted(better, worse, method);
    }
    if (rejected >= 0) {
      return "Both sides became more likely, the %s answers more.".formatted(better);
    }
    if (chosen >= 0) {
      return "The %s answers became more likely and the %s ones less: what %s is for."
          .formatted(better, worse, method);
    }
    return chosen < LOSES_MUCH * rejected
        ? ("Both sides became less likely, the %s answers more. The %s ones lost much too:"
                + " read the sample answers; if they got worse, lower the learning rate, raise beta"
                + " or train for fewer epochs.")
            .formatted(worse, better)
        : ("Both sides became less likely, the %s answers far more. That is normal: %s widens"
                + " the gap between the two and does not hold the %s answers where they were.")
            .formatted(worse, method, better);
  }

  private static String better(ExampleKind kind) {
    return kind == ExampleKind.PAIRS ? "chosen" : "desirable";
  }

  private static String worse(ExampleKind kind) {
    return kind == ExampleKind.PAIRS ? "rejected" : "undesirable";
  }

  /**
   * Mean changes over examples in nats.
   *
   * @param accuracy share of pairs with a positive reward margin; NaN without pairs
   */
  private record Movement(
      ExampleKind kind, String pairs, double chosen, double rejected, double accuracy) {

    String words() {
      return "change of the log-probability of %s: %s %s nats, %s %s nats"
          .formatted(pairs, better(kind), nats(chosen), worse(kind), nats(rejected));
    }

    String meaning() {
      return Conclusion.meaning(kind, chosen, rejected);
    }

    boolean wrongWay() {
      boolean mostRight = accuracy >= 0.5; // false for labelled examples, which have none
      return chosen - rejected < -WRONG_WAY && !mostRight;
    }

    String warning() {
      return OptionText.of(
          "the %5$s answers of %1$s gained on the %4$s ones (%4$s %2$s nats, %5$s %3$s"
              + " nats); check that the %6$s are not swapped, and lower {learning_rate}",
          pairs,
          nats(chosen),
          nats(rejected),
          better(kind),
          worse(kind),
          kind == ExampleKind.PAIRS ? "columns" : "labels");
    }

    private static String nats(double change) {
      return ShortNumber.fixed("%+.1f", change);
    }
  }

  private static String percent(double share) {
    return String.format(Locale.ROOT, "%.1f %%", 100 * share);
  }
}
