package org.dpo4j.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.dpo4j.Closeness.relative;

import java.util.ArrayList;
import java.util.List;
import org.dpo4j.DpoException;
import org.dpo4j.loss.DpoLoss;
import org.dpo4j.loss.IpoLoss;
import org.dpo4j.loss.LossTerms;
import org.dpo4j.loss.SigmoidLoss;
import org.dpo4j.loss.SigmoidNormLoss;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;

/** Closes: an exercise that only works inside the demo command. Each part stands alone here. */
class DpoTest {

  private static final List<PreferenceTriple> TRIPLES = DemoTriples.all();

  /** Sums of about 20 terms in 32 bits, computed in another order. */
  private static final double SUMMED = 1e-5;

  @Test
  void theLossOfAPairIsDerivedByHand() {
    // log-ratios: -10 + 12 = 2 and -20 + 19 = -1; margin 3; z = 0.1 x 3.
    PairLoss loss = Dpo.dpoLoss(-10, -20, -12, -19, 0.1);

    assertThat(loss.logRatioMargin()).isEqualTo(3);
    assertThat(loss.rewardMargin()).isCloseTo(0.3, within(1e-15));
    assertThat(loss.chosenReward()).isCloseTo(0.2, within(1e-15));
    assertThat(loss.rejectedReward()).isCloseTo(-0.1, within(1e-15));
    assertThat(loss.loss()).isCloseTo(Math.log(1 + Math.exp(-0.3)), within(1e-15));
    double sigmoid = 1 / (1 + Math.exp(-0.3));
    assertThat(loss.chosenGradient()).isCloseTo(-0.1 * (1 - sigmoid), within(1e-15));
  }

  @Test
  void theGradientIsTheSlopeOfTheLoss() {
    double step = 1e-5;
    double slope =
        (Dpo.dpoLoss(-10 + step, -20, -12, -19, 0.1).loss()
                - Dpo.dpoLoss(-10 - step, -20, -12, -19, 0.1).loss())
            / (2 * step);

    // Central differences: the third derivative, below 1e-3 here, times step^2 / 6, and rounding.
    assertThat(Dpo.dpoLoss(-10, -20, -12, -19, 0.1).chosenGradient())
        .isCloseTo(slope, within(1e-9));
  }

  @Test
  void numbersAndTensorsGiveTheSameLoss() {
    try (TensorScope scope = TensorScope.open()) {
      LossTerms terms =
          DpoLoss.dpoLoss(
              Tensors.doubles(-10, -3),
              Tensors.doubles(-20, -9000),
              Tensors.doubles(-12, -5000),
              Tensors.doubles(-19, -1),
              0.1);
      double[] losses = Tensors.toDoubles(terms.loss());
      double[] margins = Tensors.toDoubles(terms.rewardMargins());

      assertThat(Dpo.dpoLoss(-10, -20, -12, -19, 0.1).loss()).isCloseTo(losses[0], within(1e-15));
      assertThat(Dpo.dpoLoss(-3, -9000, -5000, -1, 0.1).loss()).isCloseTo(losses[1], within(1e-9));
      assertThat(Dpo.dpoLoss(-10, -20, -12, -19, 0.1).rewardMargin())
          .isCloseTo(margins[0], within(1e-15));
    }
  }

  @Test
  void farFromTheReferenceTheLossStaysFinite() {
    assertThat(Dpo.dpoLoss(-1e6, 0, 0, -1e6, 1).loss()).isEqualTo(2e6);
    assertThat(Dpo.dpoLoss(0, -1e6, -1e6, 0, 1).loss()).isZero();
  }

  @Test
  void betaMustBePositive() {
    assertThatThrownBy(() -> Dpo.dpoLoss(0, 0, 0, 0, Double.NaN))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("beta must be positive but was NaN");
  }

  @Test
  void aSequenceLogProbIsTheSumOfTheCompletionsTokensUnderTheLogits() {
    InstructionTokenizer tokenizer = new InstructionTokenizer();
    int[] prompt = tokenizer.encodePrompt("Compute 4 + 9.");
    int[] completion = tokenizer.encodeCompletion("13.");
    try (TinyGpt model = TinyGpt.random(3)) {
      int[] ids = {
        prompt[0],
        prompt[1],
        prompt[2],
        prompt[3],
        prompt[4],
        prompt[5],
        prompt[6],
        prompt[7],
        prompt[8],
        prompt[9],
        prompt[10],
        prompt[11],
        prompt[12],
        prompt[13],
        prompt[14],
        prompt[15],
        completion[0],
        completion[1],
        completion[2]
      };
      double[][] logits = model.logits(ids);
      double expected = 0;
      for (int i = prompt.length; i < ids.length; i++) {
        expected += logSoftmax(logits[i - 1], ids[i]); // the row before predicts
      }

      assertThat(prompt).hasSize(16);
      assertThat(logits).hasDimensions(ids.length, InstructionTokenizer.VOCABULARY);
      assertThat(Dpo.sequenceLogProb(model, prompt, completion))
          .usingComparator(relative(SUMMED))
          .isEqualTo(expected)
          .isEqualTo(Dpo.sequenceLogProb(model, "Compute 4 + 9.", "13."));
      assertThat(Dpo.meanLogProb(model, prompt, completion))
          .usingComparator(relative(SUMMED))
          .isEqualTo(expected / 3);
    }
  }

  private static double logSoftmax(double[] row, int id) {
    double sum = 0;
    for (double logit : row) {
      sum += Math.exp(logit);
    }
    return row[id] - Math.log(sum);
  }

  @Test
  void logitsDoNotDependOnLaterTokens() {
    try (TinyGpt model = TinyGpt.random(3)) {
      double[] first = model.logits(1, 2, 3)[1];
      double[] second = model.logits(1, 2, 250)[1];

      for (int i = 0; i < first.length; i++) {
        assertThat(first[i]).isCloseTo(second[i], within(1e-6));
      }
    }
  }

  @Test
  void wrongIdsAreRefusedBeforeNativeCodeSeesThem() {
    try (TinyGpt model = TinyGpt.random(3)) {
      assertThatThrownBy(() -> model.logits(260))
          .isInstanceOf(DpoException.class)
          .hasMessage("an id must be in [0, 260) but was 260");
      assertThatThrownBy(() -> model.logits(new int[129]))
          .isInstanceOf(DpoException.class)
          .hasMessage("there must be 1 to 128 ids but there are 129");
      assertThatThrownBy(() -> model.logits()).isInstanceOf(DpoException.class);
    }
  }

  @Test
  void trainingReturnsWhatItDidAndLeavesTheReferenceAsItWas() {
    try (TinyGpt reference = TinyGpt.random(0)) {
      List<Double> pretraining = reference.pretrain(TRIPLES);
      assertThat(pretraining.get(7)).isLessThan(pretraining.get(0));
      MarginTable before = Dpo.evaluateMargins(reference, TRIPLES);
      try (TinyGpt policy = reference.copy()) {
        List<DpoReport.Step> seen = new ArrayList<>();
        DpoReport report =
            Dpo.trainDpo(policy, reference, TRIPLES, DpoSettings.DEFAULT.withPasses(8), seen::add);

        assertThat(report.steps()).hasSize(8).isEqualTo(seen);
        assertThat(report.losses().get(0)).isCloseTo(Math.log(2), within(1e-5));
        assertThat(report.losses().get(7)).isLessThan(report.losses().get(0));
        assertThat(report.rewardMargins().get(0)).isCloseTo(0, within(1e-5));
        assertThat(report.initial()).isEqualTo(before);
        assertThat(report.trained()).isEqualTo(Dpo.evaluateMargins(policy, TRIPLES));
        assertThat(report.trained().meanMargin()).isGreaterThan(before.meanMargin());
        assertThat(Dpo.evaluateMargins(reference, TRIPLES)).isEqualTo(before);
      }
    }
  }

  @Test
  void otherLossesAndASmallerReferenceBelongToTheExercise() {
    try (TinyGpt policy = TinyGpt.random(0);
        TinyGpt reference = TinyGpt.random(TinyGptConfig.DISTILLED, 1)) {
      policy.pretrain(TRIPLES);
      List<Double> distillation = reference.distillFrom(policy, TRIPLES);
      assertThat(distillation.get(23)).isLessThan(distillation.get(0));
      assertThat(reference.parameterCount()).isLessThan(policy.parameterCount());
      for (var loss :
          List.of(new IpoLoss(0.1), new SigmoidLoss(0.2, 0.1), new SigmoidNormLoss(0.2, 0))) {
        try (TinyGpt copy = policy.copy()) {
          DpoReport report =
              Dpo.trainDpo(
                  copy,
                  reference,
                  TRIPLES,
                  DpoSettings.DEFAULT.withLoss(loss).withPasses(3).withBatchSize(4));

          assertThat(report.losses().get(2)).isLessThan(report.losses().get(0));
        }
      }
    }
  }

  @Test
  void theTableShowsEachTripleAndItsMargin() {
    MarginTable table =
        new MarginTable(
            List.of(
                new MarginTable.Row(TRIPLES.get(3), -12.5, -60.25),
                new MarginTable.Row(TRIPLES.get(0), -20, -19)));

    assertThat(table.meanMargin()).isEqualTo((47.75 - 1) / 2);
    assertThat(table.accuracy()).isEqualTo(0.5);
    assertThat(table.rows().get(0).triple().chosen()).isEqualTo("13.");
    assertThat(table.toString().lines())
        .containsExactly(
            "prompt                      chosen  rejected    margin",
            "Compute 4 + 9.              -12.50    -60.25    +47.75",
            "What is the capital of …    -20.00    -19.00     -1.00");
  }
}
