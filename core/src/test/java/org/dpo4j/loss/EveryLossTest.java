package org.dpo4j.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.Closeness.relative;

import java.util.List;
import java.util.OptionalDouble;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.UsageException;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.loss.LossProbe.Pair;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Closes: a wrong sign, factor or side in one of the losses that {@link PreferenceLossTest} does
 * not derive. One pair, beta 0.5: Delta_w = 2, Delta_l = -1, so h = 3, r_w = 1, r_l = -0.5, z =
 * 1.5; |y_w| = 4, |y_l| = 2; the reference says -20 and -30, so log pi(y_w) = -18, log pi(y_l) =
 * -31, averages -4.5 and -15.5.
 */
class EveryLossTest {

  private static final double BETA = 0.5;
  private static final Pair PAIR = Pair.ofRatios(2, -1, 4, 2);

  private static double softplus(double x) {
    return Math.log1p(Math.exp(x));
  }

  private static double sigma(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  /** Each loss, its value on the pair, and its value at zero log-ratios (NaN where data decide). */
  static Stream<Arguments> losses() {
    double ln2 = Math.log(2);
    return Stream.of(
        // -log sigma(x) = softplus(-x)
        row(new SigmoidLoss(BETA), softplus(-1.5), ln2),
        row(new SigmoidNormLoss(BETA, 0), softplus(-0.5 * (2.0 / 4 + 1.0 / 2)), ln2),
        row(new HingeLoss(BETA), 0, 1),
        row(new IpoLoss(BETA), 0, 1), // (0.5 + 0.5 - 1)^2; 1/(4 x 0.25)
        row(new IpoSumLoss(BETA), 4, 1), // (3 - 1)^2
        row(new UnitMarginLoss(BETA), 0.25, 1), // (1.5 - 1)^2
        row(
            new ExoPairLoss(BETA, 0.1),
            sigma(1.5) * (-softplus(-1.5) - Math.log(0.9))
                + sigma(-1.5) * (-softplus(1.5) - Math.log(0.1)),
            -ln2 - Math.log(0.9 * 0.1) / 2),
        row(
            new NcaPairLoss(BETA),
            softplus(-1) + 0.5 * softplus(1) + 0.5 * softplus(-0.5),
            2 * ln2),
        row(new RobustLoss(BETA, 0.1), (0.9 * softplus(-1.5) - 0.1 * softplus(1.5)) / 0.8, ln2),
        row(new BcoPairLoss(BETA), softplus(-1) + softplus(-0.5), 2 * ln2),
        row(new SppoHardLoss(BETA), 1, 2), // (2 - 1)^2 + (-1 + 1)^2; 1/(2 x 0.25)
        row(new AotLoss(BETA, 0.1), 0.9 * softplus(-1.5) + 0.1 * softplus(1.5), ln2),
        row(new AotUnpairedLoss(BETA, 0.1), 0.9 * softplus(-1.5) + 0.1 * softplus(1.5), ln2),
        row(new ApoZeroLoss(BETA), 1 - sigma(1) + sigma(-0.5), 1),
        row(new ApoDownLoss(BETA), sigma(1) + 1 - sigma(1.5), 1),
        row(
            new DiscoPopLoss(BETA, 0.5),
            softplus(-1.5) * (1 - sigma(3)) + Math.exp(-1.5) * sigma(3),
            (ln2 + 1) / 2),
        row(new SftLoss(BETA), 4.5, Double.NaN), // 18 / 4
        row(new DpopLoss(BETA, 50), softplus(-1.5), ln2), // chosen has not fallen
        // z - alpha m = 1.5 - 0.5 x 1.25
        row(new OdpoLoss(BETA, 0.5), softplus(-(1.5 - 0.625)), Double.NaN),
        row(new SimpoLoss(BETA, 0.5, 0), softplus(-(0.5 * 11 - 0.5)), Double.NaN),
        row(new CpoLoss(BETA, 2, 0), softplus(-0.5 * 13) + 2 * 4.5, Double.NaN),
        row(
            new OrpoLoss(BETA),
            4.5
                + 0.5
                    * softplus(-(11 - Math.log1p(-Math.exp(-4.5)) + Math.log1p(-Math.exp(-15.5)))),
            Double.NaN),
        row(
            new CombinedLoss(
                List.of(
                    new CombinedLoss.Part(new SigmoidLoss(BETA), 0.8),
                    new CombinedLoss.Part(new BcoPairLoss(BETA), 0.2))),
            0.8 * softplus(-1.5) + 0.2 * (softplus(-1) + softplus(-0.5)),
            0.8 * ln2 + 0.2 * 2 * ln2));
  }

  private static Arguments row(PreferenceLoss loss, double value, double atZero) {
    return Arguments.of(loss, value, atZero);
  }

  @Test
  void everyLossThereIsIsTestedHere() {
    assertThat(losses().map(row -> row.get()[0].getClass()).collect(Collectors.toSet()))
        .isEqualTo(
            Stream.of(PreferenceLoss.class.getPermittedSubclasses()).collect(Collectors.toSet()));
  }

  @ParameterizedTest
  @MethodSource("losses")
  void valuesAreThoseWorkedOutByHand(PreferenceLoss loss, double value) {
    assertThat(LossProbe.of(loss, PAIR).loss()).usingComparator(relative(1e-12)).isEqualTo(value);
  }

  @ParameterizedTest
  @MethodSource("losses")
  void theValueAtZeroLogRatiosIsTheOneThatARunIsCheckedAgainst(
      PreferenceLoss loss, double value, double atZero) {
    if (Double.isNaN(atZero)) {
      assertThat(loss.valueAtZero()).isEmpty();
    } else {
      assertThat(loss.valueAtZero().orElseThrow())
          .usingComparator(relative(1e-12))
          .isEqualTo(atZero);
      for (FDivergence.Type type : FDivergence.Type.values()) {
        Objective objective =
            new Objective(loss, new FDivergence(type, 0.3), LengthDesensitizing.NONE, false);
        assertThat(LossProbe.of(objective, Pair.ofRatios(0, 0, 3, 7)).loss())
            .usingComparator(relative(1e-12))
            .isEqualTo(atZero);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("losses")
  void gradientsAreThoseOfCentralDifferences(PreferenceLoss loss) {
    for (FDivergence.Type type : FDivergence.Type.values()) {
      Objective objective =
          new Objective(loss, new FDivergence(type, 0.3), LengthDesensitizing.NONE, false);
      for (double[] ratios : new double[][] {{2, -1}, {-0.7, 0.4}, {-2.5, -1.5}, {0.3, 1.1}}) {
        Pair pair = Pair.ofRatios(ratios[0], ratios[1], 4, 2);
        LossProbe probe = LossProbe.of(objective, pair);
        assertThat(probe.chosenGradient())
            .usingComparator(relative(1e-6))
            .isEqualTo(slope(objective, pair, 1, 0));
        assertThat(probe.rejectedGradient())
            .usingComparator(relative(1e-6))
            .isEqualTo(slope(objective, pair, 0, 1));
      }
    }
  }

  private static double slope(Objective objective, Pair pair, double chosen, double rejected) {
    double e = 1e-5;
    double up = LossProbe.of(objective, pair.withPolicyMovedBy(e * chosen, e * rejected)).loss();
    double down =
        LossProbe.of(objective, pair.withPolicyMovedBy(-e * chosen, -e * rejected)).loss();
    return (up - down) / (2 * e);
  }

  /** Delta_w = -1.5: h = -1.5 - 0 - lambda 1.5, with lambda 2: -4.5; z = -2.25. */
  @Test
  void dpopPaysForAChosenCompletionThatHasFallen() {
    assertThat(LossProbe.of(new DpopLoss(BETA, 2), Pair.ofRatios(-1.5, 0, 1, 1)).loss())
        .usingComparator(relative(1e-12))
        .isEqualTo(softplus(2.25));
  }

  /** z = 1.5 and m = 1.25: the slope is -beta (1 - sigma(z - alpha m)) for y_w. */
  @Test
  void odpoWeighsAPairByHowFarItIsFromItsOffset() {
    for (double alpha : new double[] {0, 0.5, 1, 4}) {
      LossProbe probe = LossProbe.of(new OdpoLoss(BETA, alpha), PAIR);
      double slope = -BETA * (1 - sigma(1.5 - alpha * 1.25));
      assertThat(probe.chosenGradient()).usingComparator(relative(1e-12)).isEqualTo(slope);
      assertThat(probe.rejectedGradient()).usingComparator(relative(1e-12)).isEqualTo(-slope);
      assertThat(probe.rewardMargin()).as("rewards have no offset").isEqualTo(1.5);
    }
  }

  /** The same double, not nearly: an offset of 0, by alpha or by the margin, changes nothing. */
  @Test
  void odpoWithoutAnOffsetIsDpo() {
    for (Pair pair : List.of(PAIR, Pair.ofRatios(-1.5, 0.3, 3, 1))) {
      LossProbe dpo = LossProbe.of(new SigmoidLoss(BETA), pair);
      assertThat(LossProbe.of(new OdpoLoss(BETA, 0), pair)).isEqualTo(dpo);
      assertThat(LossProbe.of(new OdpoLoss(BETA, 2), pair.withMargin(0))).isEqualTo(dpo);
    }
  }

  /** Margins ln 1 = 0 and ln 3 of one batch: each pair has its own offset. */
  @Test
  void odpoTakesTheMarginOfEachPair() {
    try (TensorScope scope = TensorScope.open()) {
      PairLogProbs zero = PairLogProbs.ofSums(Tensors.doubles(0, 0), Tensors.doubles(0, 0));
      LossInputs plain = LossInputs.of(zero, zero);
      LossInputs inputs = LossProbe.withMargins(plain, Tensors.doubles(0, Math.log(3)));
      // -log sigma(-ln 3) = ln(1 + 3)
      assertThat(Tensors.toDoubles(new OdpoLoss(BETA, 1).of(inputs)))
          .usingElementComparator(relative(1e-12))
          .containsExactly(new double[] {Math.log(2), Math.log(4)});
      assertThatThrownBy(() -> new OdpoLoss(BETA, 1).of(plain))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("this loss needs margins but there are none");
    }
  }

  @Test
  void aCombinationReadsMarginsIfAPartDoes() {
    CombinedLoss.Part odpo = new CombinedLoss.Part(new OdpoLoss(BETA, 1), 1);
    CombinedLoss.Part sft = new CombinedLoss.Part(new SftLoss(BETA), 2);
    assertThat(new CombinedLoss(List.of(sft, odpo)).usesMargins()).isTrue();
    assertThat(new CombinedLoss(List.of(sft)).usesMargins()).isFalse();
    // softplus(-(1.5 - 1.25)) + 2 x 4.5
    assertThat(LossProbe.of(new CombinedLoss(List.of(sft, odpo)), PAIR).loss())
        .usingComparator(relative(1e-12))
        .isEqualTo(softplus(-0.25) + 9);
  }

  /** Delta 2 and -1 become 1 - e^-2 and 1 - e; ln 2 + log sigma; (e^(-0.5 Delta) - 1) / -0.5. */
  @Test
  void divergencesMakeTheScoresOfTheirFormulas() {
    scored(FDivergence.Type.FORWARD_KL, (1 - Math.exp(-2)) - (1 - Math.exp(1)));
    scored(FDivergence.Type.JS_DIVERGENCE, softplus(1) - softplus(-2));
    scored(FDivergence.Type.ALPHA_DIVERGENCE, -2 * (Math.exp(-1) - 1) + 2 * (Math.exp(0.5) - 1));
  }

  private static void scored(FDivergence.Type type, double margin) {
    Objective objective =
        new Objective(
            new SigmoidLoss(BETA), new FDivergence(type, 0.5), LengthDesensitizing.NONE, false);
    LossProbe probe = LossProbe.of(objective, PAIR);
    assertThat(probe.loss()).usingComparator(relative(1e-12)).isEqualTo(softplus(-BETA * margin));
    assertThat(probe.rewardMargin())
        .as("rewards stay raw")
        .usingComparator(relative(1e-12))
        .isEqualTo(1.5);
  }

  /** The same numbers in fp32, where exp and log lose digits or overflow. */
  @Test
  void orpoAndDiscopopAreFiniteAtTheEdgesOfFp32() {
    try (TensorScope scope = TensorScope.open()) {
      for (float logp : new float[] {0, -1e-38f, -1e-7f, -0.6931472f, -50, -1e4f}) {
        finite(new OrpoLoss(0.1), logp, -3);
        finite(new OrpoLoss(0.1), -3, logp);
        finite(new OrpoLoss(0.1), logp, logp);
        finite(new DiscoPopLoss(0.1, 0.05), logp, -3);
        finite(new DiscoPopLoss(10, 0.05), -3, logp);
      }
    }
  }

  private static void finite(PreferenceLoss loss, float chosen, float rejected) {
    Tensor policy = Tensors.floats(chosen).set_requires_grad(true);
    Tensor other = Tensors.floats(rejected).set_requires_grad(true);
    PairLogProbs pair = PairLogProbs.ofSums(policy, other);
    Tensor value = loss.of(LossInputs.of(pair, PairLogProbs.ofSums(other, other)));
    value.sum().backward();
    assertThat(value.item_double()).as("%s of %s, %s", loss, chosen, rejected).isFinite();
    assertThat(policy.grad().item_double()).as("slope of %s at %s", loss, chosen).isFinite();
    assertThat(other.grad().item_double()).as("slope of %s at %s", loss, rejected).isFinite();
  }

  /**
   * Two pairs, beta 1. Margins 3, -1 of the policy and 0, 4 of the reference meet as -1 with 0 and
   * 3 with 4: d = -1 twice. Against 0, Delta_w 2, 1 and Delta_l -1, 2 meet as 1 with -1 and 2 with
   * 2.
   */
  @Test
  void aotSortsInTheMicroBatch() {
    try (TensorScope scope = TensorScope.open()) {
      PairLogProbs policy = PairLogProbs.ofSums(Tensors.doubles(2, 1), Tensors.doubles(-1, 2));
      PairLogProbs reference = PairLogProbs.ofSums(Tensors.doubles(0, 5), Tensors.doubles(0, 1));
      assertThat(Tensors.toDoubles(new AotLoss(1, 0).of(LossInputs.of(policy, reference))))
          .usingElementComparator(relative(1e-12))
          .containsExactly(new double[] {softplus(1), softplus(1)});
      PairLogProbs zero = PairLogProbs.ofSums(Tensors.doubles(0, 0), Tensors.doubles(0, 0));
      assertThat(Tensors.toDoubles(new AotUnpairedLoss(1, 0).of(LossInputs.of(policy, zero))))
          .usingElementComparator(relative(1e-12))
          .containsExactly(new double[] {softplus(-2), softplus(0)});
    }
  }

  /** Sums -6 and -5 over 3 and 1 tokens: 11/4; with weights 1 and 3: (6 + 15) / (3 + 3). */
  @Test
  void sftIsTheMeanOverTokensEachWithTheWeightOfItsPair() {
    try (TensorScope scope = TensorScope.open()) {
      Tensor sums = Tensors.doubles(-6, -5);
      PairLogProbs policy =
          new PairLogProbs(sums, sums, Tensors.doubles(3, 1), Tensors.doubles(3, 1));
      assertThat(sft(policy, 1, 1)).usingComparator(relative(1e-12)).isEqualTo(11.0 / 4);
      assertThat(sft(policy, 1, 3)).usingComparator(relative(1e-12)).isEqualTo(21.0 / 6);
    }
  }

  private static double sft(PairLogProbs policy, double... weights) {
    LossInputs inputs =
        new LossInputs(
            policy,
            null,
            FDivergence.NONE,
            policy.chosen(),
            policy.chosenTokens(),
            Tensors.doubles(weights),
            null);
    return Tensors.toDoubles(new SftLoss(BETA).of(inputs))[1];
  }

  @Test
  void withoutAReferenceRewardsAreBetaTimesTheLogProbabilityThatTheLossUses() {
    try (TensorScope scope = TensorScope.open()) {
      PairLogProbs policy =
          new PairLogProbs(
              Tensors.doubles(-6), Tensors.doubles(-8), Tensors.doubles(3), Tensors.doubles(2));
      assertThat(reward(new CpoLoss(BETA, 1, 0), policy)).isEqualTo(-3); // 0.5 x -6
      assertThat(reward(new SimpoLoss(BETA, 0.5, 0), policy)).isEqualTo(-1); // 0.5 x -6 / 3
      assertThat(reward(new OrpoLoss(BETA), policy)).isEqualTo(-1);
      assertThat(reward(new SftLoss(BETA), policy)).isEqualTo(-3);
    }
  }

  private static double reward(PreferenceLoss loss, PairLogProbs policy) {
    LossInputs inputs = LossInputs.of(policy, null);
    return Objective.of(loss).terms(inputs, inputs.weights()).chosenRewards().item_double();
  }

  /** ln 0.5 for both sides together: the loss counts half, and no start value is known. */
  @Test
  void wpoMultipliesTheLossOfAPair() {
    try (TensorScope scope = TensorScope.open()) {
      LossInputs zero =
          LossInputs.of(
              PairLogProbs.ofSums(Tensors.doubles(-1), Tensors.doubles(-1)),
              PairLogProbs.ofSums(Tensors.doubles(-1), Tensors.doubles(-1)));
      Objective objective =
          new Objective(new SigmoidLoss(BETA), FDivergence.NONE, LengthDesensitizing.NONE, true);
      assertThat(objective.terms(zero, Tensors.doubles(Math.log(0.5))).loss().item_double())
          .usingComparator(relative(1e-12))
          .isEqualTo(Math.log(2) / 2);
      assertThat(objective.valueAtZero()).isEqualTo(OptionalDouble.empty());
    }
  }

  @Test
  void numbersOutsideOfALosssRangeAreRefused() {
    refused(() -> new ExoPairLoss(BETA, 0), "label_smoothing must be above 0 for exo_pair");
    refused(() -> new RobustLoss(BETA, 0.5), "label_smoothing must be below 0.5 for robust");
    refused(() -> new DiscoPopLoss(BETA, 0), "discopop_tau must be positive");
    refused(() -> new DpopLoss(BETA, -1), "dpop_lambda must be finite and not negative");
    refused(() -> new OdpoLoss(BETA, -1), "odpo_alpha must be finite and not negative");
    refused(() -> new SimpoLoss(BETA, Double.NaN, 0), "simpo_gamma must be finite");
    refused(() -> new CpoLoss(BETA, -1, 0), "cpo_alpha must be finite and not negative");
    assertThatThrownBy(
            () ->
                new CombinedLoss(
                    List.of(
                        new CombinedLoss.Part(new HingeLoss(1), 1),
                        new CombinedLoss.Part(new HingeLoss(2), 1))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("of one beta");
  }

  private static void refused(Runnable making, String message) {
    assertThatThrownBy(making::run)
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(message);
  }
}
