package org.dpo4j.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.OptionalDouble;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.dpo4j.EvaluationReport;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.PairMetrics;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingMetrics;
import org.junit.jupiter.api.Test;

/** Closes: a run that went wrong without a word, and a healthy one that is doubted. */
class ConclusionTest {
  private static final OptionalDouble LN2 = OptionalDouble.of(Math.log(2));
  private static final OptionalDouble BETA = OptionalDouble.of(0.1);

  @Test
  void aHealthyRunIsSummedUpWithoutAWarning() {
    RunHistory history = new RunHistory();
    history.add(evaluation(0, 0.6931, 0, 0, -109.4, -108.9));
    history.add(step(16, 0.4, 0.65));
    history.add(step(32, 0.0955, 2.613));
    history.add(evaluation(32, 0.2445, 1, 1.346, -112.7, -125.6));
    Conclusion conclusion = new Conclusion(history, LN2, BETA, 1e-4, true, true);
    assertThat(conclusion.summary())
        .containsExactly(
            "training loss 0.6931 -> 0.0955 (mean of the last 16 steps)",
            "12 held-out pairs: loss 0.6931 -> 0.2445, reward margin +0.000 -> +1.346",
            "held-out accuracy 100.0 %: the share of pairs in which the model prefers the"
                + " chosen answer more than the reference does",
            // -112.7 + 109.4 and -125.6 + 108.9
            "change of the log-probability of held-out pairs: chosen -3.3 nats, rejected -16.7 nats",
            "Both sides became less likely, the rejected answers far more. That is normal: DPO"
                + " widens the gap between the two and does not hold the chosen answers where they"
                + " were.");
    assertThat(conclusion.warnings()).isEmpty();
  }

  @Test
  void withoutHeldOutPairsTheRewardsTellHowFarBothSidesMoved() {
    RunHistory history = new RunHistory();
    // Rewards 0.2 and -0.3 with beta 0.1 are +2 and -3 nats.
    history.add(new StepReport(4, 4, 1, 4, metrics(0.5, 1, 0.2, -0.3, -9, -9), 1, 1e-6, 9, 1, 1));
    assertThat(new Conclusion(history, LN2, BETA, 1e-6, true, true).summary())
        .containsExactly(
            "training loss 0.6931 -> 0.5 (mean of the last 4 steps)",
            "change of the log-probability of the training pairs of the last logged steps: chosen"
                + " +2.0 nats, rejected -3.0 nats",
            "The chosen answers became more likely and the rejected ones less: what DPO is for.");
    // Another reference: rewards do not count from the start.
    assertThat(new Conclusion(history, LN2, OptionalDouble.empty(), 1e-6, true, true).summary())
        .hasSize(1);
  }

  @Test
  void aLossThatEndsAboveItsStartIsAWarningWithTheRate() {
    RunHistory history = new RunHistory();
    history.add(step(8, 8190, -2069));
    history.add(step(16, 233, 63));
    Conclusion conclusion = new Conclusion(history, LN2, BETA, 10, true, true);
    assertThat(conclusion.warnings())
        .containsExactly(
            OptionText.of(
                "the training loss ended above its start (0.6931 -> 233.0): the model got worse; lower"
                    + " {learning_rate} (it was 10.0)"));
    assertThat(conclusion.summary())
        .contains("The run made the model worse: the loss of the training pairs rose.");
  }

  /** One number: what the summary says is what the warning is about. */
  @Test
  void theTrainingLossAtTheEndIsAMeanOfStepsInTheSummaryAndInTheWarning() {
    RunHistory single = new RunHistory();
    for (int step = 1; step <= 32; step++) {
      // The last 8 of 32: (4 x 0.9 + 4 x 1.1) / 8 = 1.0; the last line alone is 1.1.
      single.add(step(step, step <= 24 ? 0.5 : step % 2 == 0 ? 1.1 : 0.9, 0));
    }
    Conclusion conclusion = new Conclusion(single, LN2, BETA, 1e-4, true, true);
    assertThat(conclusion.summary())
        .startsWith("training loss 0.6931 -> 1.0 (mean of the last 8 steps)");
    assertThat(conclusion.warnings())
        .singleElement()
        .asString()
        .startsWith("the training loss ended above its start (0.6931 -> 1.0)");

    // Lines of 10, 10, 10 and 2 steps: 8 are wanted, two lines have 12, and
    // (10 x 0.3 + 2 x 0.9) / 12 = 0.4.
    RunHistory tens = new RunHistory();
    tens.add(step(10, 0.6, 0));
    tens.add(step(20, 0.5, 0));
    tens.add(step(30, 0.3, 0));
    tens.add(step(32, 0.9, 0));
    assertThat(ending(tens)).isEqualTo("training loss 0.6931 -> 0.4 (mean of the last 12 steps)");

    // A tenth of 200 steps is 20: (10 x 0.2 + 10 x 0.4) / 20 = 0.3.
    RunHistory large = new RunHistory();
    for (int step = 1; step <= 200; step++) {
      large.add(step(step, step <= 180 ? 9 : step <= 190 ? 0.2 : 0.4, 0));
    }
    assertThat(ending(large)).isEqualTo("training loss 0.6931 -> 0.3 (mean of the last 20 steps)");

    // Half of 3 steps is 1.
    RunHistory three = new RunHistory();
    for (int step = 1; step <= 3; step++) {
      three.add(step(step, 0.7 - step / 10.0, 0));
    }
    assertThat(ending(three)).isEqualTo("training loss 0.6931 -> 0.4 (the last step)");
  }

  private static String ending(RunHistory history) {
    return new Conclusion(history, LN2, BETA, 1e-4, true, true).summary().get(0);
  }

  @Test
  void aTrainingLossThatRoseWhileTheHeldOutOneFellIsAboutThePairs() {
    RunHistory history = new RunHistory();
    history.add(evaluation(0, 0.6931, 0, 0, -100, -100));
    history.add(step(32, 0.9, 1));
    history.add(evaluation(32, 0.0039, 1, 6, -101, -160));
    Conclusion conclusion = new Conclusion(history, LN2, BETA, 1e-3, true, true);
    assertThat(conclusion.warnings())
        .containsExactly(
            OptionText.of(
                "the training loss ended above its start (0.6931 -> 0.9) while the loss of the held-out"
                    + " pairs fell (0.6931 -> 0.0039): some training pairs contradict the others"
                    + " (swapped labels? see docs/how-to/find-mislabelled-pairs.md), or the rate is too"
                    + " high; check the pairs, then lower {learning_rate} (it was 0.001)"));
    assertThat(conclusion.summary()).noneMatch(line -> line.contains("worse"));
  }

  @Test
  void lossesThatBothRoseAreBothInTheWarningAndTheSummarySaysWorse() {
    RunHistory history = new RunHistory();
    history.add(evaluation(0, 0.6931, 0, 0, -100, -100));
    history.add(step(32, 5, 1));
    history.add(evaluation(32, 3.6, 0.5, 1, -400, -500));
    Conclusion conclusion = new Conclusion(history, LN2, BETA, 0.5, true, true);
    assertThat(conclusion.warnings())
        .hasSize(2)
        .last(InstanceOfAssertFactories.STRING)
        .startsWith(
            "the chosen answers were displaced: those of the held-out pairs lost 300.0 nats");
    assertThat(conclusion.warnings())
        .startsWith(
            OptionText.of(
                "the training loss ended above its start (0.6931 -> 5.0), and the loss of the held-out"
                    + " pairs did not fall (0.6931 -> 3.6): the model got worse; lower {learning_rate}"
                    + " (it was 0.5)"));
    assertThat(conclusion.summary())
        .endsWith("The run made the model worse: the loss of the held-out pairs rose.")
        .noneMatch(line -> line.startsWith("Both sides"));
  }

  @Test
  void aHeldOutLossThatIsNoNumberIsAWarning() {
    RunHistory history = new RunHistory();
    history.add(evaluation(0, 0.6931, 0, 0, -100, -100));
    history.add(step(32, 0.4, 1));
    history.add(evaluation(32, Double.NaN, 0, Double.NaN, Double.NaN, -100));
    assertThat(new Conclusion(history, LN2, BETA, 1e-4, true, true).warnings())
        .singleElement()
        .asString()
        .contains("held-out pairs ended above its start (0.6931 -> nan)");
  }

  @Test
  void ifNoWeightHasMovedAtTheEndThereIsNoAccuracy() {
    RunHistory history = new RunHistory();
    history.add(evaluation(0, 0.6931, 0, 0, -100, -100));
    history.add(step(1, 0.6931, 0));
    history.add(evaluation(1, 0.6931, 0, 0, -100, -100));
    assertThat(new Conclusion(history, LN2, BETA, 1e-4, true, true).summary())
        .contains("12 held-out pairs: loss 0.6931 -> 0.6931, reward margin +0.000 -> +0.000")
        .noneMatch(line -> line.contains("accuracy"));
  }

  /** Without a reference there is nothing that the model prefers an answer more than. */
  @Test
  void theAccuracyIsSaidWithoutAReferenceWhereThereIsNone() {
    RunHistory history = new RunHistory();
    history.add(evaluation(0, 2, 0.5, 0.1, -100, -100));
    history.add(step(32, 1, 1));
    history.add(evaluation(32, 1, 0.75, 0.2, -100.01, -100.02));
    assertThat(
            new Conclusion(
                    history, OptionalDouble.empty(), OptionalDouble.empty(), 1e-4, false, true)
                .summary())
        .contains(
            "held-out accuracy 50.0 % -> 75.0 %: the share of pairs in which the model gives the"
                + " chosen answer the higher reward",
            // -0.01 and -0.02 nats are no minus 0.0.
            "change of the log-probability of held-out pairs: chosen +0.0 nats, rejected +0.0 nats");
  }

  @Test
  void noiseAroundTheStartIsNoWarning() {
    RunHistory history = new RunHistory();
    for (int step = 1; step <= 8; step++) {
      history.add(step(step, 0.6931 + 0.02 * (step % 2), 0));
    }
    // 3 % above ln 2 at most.
    assertThat(new Conclusion(history, LN2, BETA, 1e-6, true, true).warnings()).isEmpty();
    // Where theory gives no start, batches differ: 4.0 after 3.5 is 14 % more.
    RunHistory orpo = new RunHistory();
    for (double loss : new double[] {3.5, 3.9, 3.4, 4.0}) {
      orpo.add(step(orpo.steps().size() + 1, loss, 0));
    }
    assertThat(
            new Conclusion(orpo, OptionalDouble.empty(), OptionalDouble.empty(), 1e-6, false, true)
                .warnings())
        .isEmpty();
    orpo.add(step(5, 5.0, 0)); // 43 % more
    assertThat(
            new Conclusion(orpo, OptionalDouble.empty(), OptionalDouble.empty(), 1e-6, false, true)
                .warnings())
        .hasSize(1);
  }

  @Test
  void aHeldOutLossThatRoseIsOverfitting() {
    RunHistory history = new RunHistory();
    history.add(evaluation(0, 0.6931, 0, 0, -100, -100));
    history.add(step(32, 0.01, 5));
    history.add(evaluation(32, 0.9, 0.5, 0.1, -110, -111));
    assertThat(new Conclusion(history, LN2, BETA, 1e-4, true, true).warnings())
        .singleElement()
        .asString()
        .startsWith("the loss of the held-out pairs ended above its start (0.6931 -> 0.9)");
    assertThat(new Conclusion(history, LN2, BETA, 1e-4, true, true).summary())
        .endsWith("The run made the model worse: the loss of the held-out pairs rose.");
  }

  @Test
  void columnsThatAreSwappedAreSuspected() {
    RunHistory history = new RunHistory();
    history.add(evaluation(0, 0.6931, 0, 0, -100, -100));
    history.add(step(32, 0.6, 0.1));
    history.add(evaluation(32, 0.7, 0.25, -0.4, -104, -100));
    assertThat(new Conclusion(history, LN2, BETA, 1e-4, true, true).warnings())
        .singleElement()
        .asString()
        .contains("chosen -4.0 nats, rejected +0.0 nats", "columns are not swapped");
  }

  /** Labelled examples have no accuracy, so that their log-probabilities alone say it. */
  @Test
  void labelsThatAreSwappedAreSuspected() {
    assertThat(labelled(-104, -100).warnings())
        .singleElement()
        .asString()
        .contains("desirable -4.0 nats, undesirable +0.0 nats", "labels are not swapped");
    assertThat(labelled(-100, -104).warnings()).isEmpty();
  }

  private static Conclusion labelled(double desirable, double undesirable) {
    RunHistory history = new RunHistory();
    history.add(labelled(0, -100, -100));
    history.add(labelled(32, desirable, undesirable));
    return new Conclusion(history, OptionalDouble.of(0.5), BETA, 1e-4, true, true);
  }

  private static EvaluationReport labelled(int step, double desirable, double undesirable) {
    TrainingMetrics metrics =
        new TrainingMetrics(
            ExampleKind.LABELED,
            0.5,
            0.1 * (desirable + 100),
            0.1 * (undesirable + 100),
            Double.NaN,
            0.1 * (desirable - undesirable),
            desirable,
            undesirable,
            0,
            0,
            1,
            0.5,
            0);
    return new EvaluationReport(step, step / 16.0, "", metrics, 12, 1);
  }

  @Test
  void eachMovementHasItsMeaning() {
    assertThat(Conclusion.meaning(0.01, -0.02)).startsWith("Hardly anything moved");
    assertThat(Conclusion.meaning(-0.3, -30)).contains("That is normal");
    assertThat(Conclusion.meaning(-20, -30)).contains("The chosen ones lost much too");
    assertThat(Conclusion.meaning(3, 1)).startsWith("Both sides became more likely");
    assertThat(Conclusion.meaning(1, -1)).contains("what DPO is for");
    assertThat(Conclusion.meaning(-2, -1)).contains("the wrong way");
    // What is printed as 0.0 did not become less or more likely.
    assertThat(Conclusion.meaning(-0.04, -0.2))
        .isEqualTo(
            "The rejected answers became less likely, the chosen ones stayed where they were: what"
                + " DPO is for.");
    assertThat(Conclusion.meaning(0.2, 0.04))
        .isEqualTo(
            "The chosen answers became more likely, the rejected ones stayed where they were: what"
                + " DPO is for.");
  }

  @Test
  void allRightAtOnceIsAGiveaway() {
    EarlyAccuracy early = new EarlyAccuracy();
    early.add(16, metrics(0.6931, 0, 0, 0, -100, -100)); // ties: no weight has moved
    for (int step = 0; step < 3; step++) {
      assertThat(early.warning()).isEmpty(); // 0, 12 and 24 pairs are too few
      early.add(12, metrics(0.5, 1, 1, -1, -100, -100));
    }
    assertThat(early.warning()).get().asString().contains("first 36 pairs").contains("length");
    early.add(12, metrics(0.7, 0, -1, 1, -100, -100)); // late mistakes change nothing
    assertThat(early.warning()).isPresent();
  }

  @Test
  void oneWrongPairAmongTheFirstIsHealthy() {
    EarlyAccuracy early = new EarlyAccuracy();
    early.add(16, metrics(0.5, 15.0 / 16, 1, -1, -100, -100));
    early.add(16, metrics(0.5, 1, 1, -1, -100, -100));
    assertThat(early.warning()).isEmpty();
  }

  private static StepReport step(int step, double loss, double margin) {
    return new StepReport(
        step, 32, step / 16.0, 4, metrics(loss, 0.8, margin, 0, -100, -100), 1, 1e-4, 1, 1, 1);
  }

  private static EvaluationReport evaluation(
      int step, double loss, double accuracy, double margin, double chosen, double rejected) {
    return new EvaluationReport(
        step, step / 16.0, "", metrics(loss, accuracy, margin, 0, chosen, rejected), 12, 1);
  }

  private static TrainingMetrics metrics(
      double loss,
      double accuracy,
      double chosenReward,
      double rejectedReward,
      double chosen,
      double rejected) {
    return PairMetrics.of(
        loss,
        chosenReward,
        rejectedReward,
        accuracy,
        chosenReward - rejectedReward,
        chosen,
        rejected,
        0,
        0,
        4,
        0.3);
  }
}
