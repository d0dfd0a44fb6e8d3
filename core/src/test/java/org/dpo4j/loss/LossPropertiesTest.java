package org.dpo4j.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.Closeness.relative;

import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.UsageException;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes: a loss that is cut into pieces though its value depends on the whole micro-batch, and
 * other properties that a loss claims and does not have. Each claim is compared with what the loss
 * computes.
 */
class LossPropertiesTest {

  private static final double BETA = 0.5;

  /** Log-probabilities, and lengths, of two pairs that differ in everything. */
  private static final double[][] CHOSEN = {{-3, 4}, {-9, 2}};

  private static final double[][] REJECTED = {{-8, 2}, {-7, 5}};
  private static final double[][] MARGIN = {{1.5}, {-0.25}};
  private static final double[][] REFERENCE = {{-5, -6}, {-6, -9}};

  /** Each loss, and the ones whose properties depend on a parameter or a part. */
  static List<PreferenceLoss> losses() {
    List<PreferenceLoss> all =
        new ArrayList<>(EveryLossTest.losses().map(row -> (PreferenceLoss) row.get()[0]).toList());
    all.add(new CpoLoss(BETA, 0, 0));
    all.add(combined(new SigmoidLoss(BETA), new SftLoss(BETA)));
    all.add(combined(new AotLoss(BETA, 0), new DpopLoss(BETA, 1)));
    all.add(combined(new DpopLoss(BETA, 1), new BcoPairLoss(BETA)));
    all.add(combined(new SimpoLoss(BETA, 0, 0), new OrpoLoss(BETA)));
    return all;
  }

  private static CombinedLoss combined(PreferenceLoss... parts) {
    return new CombinedLoss(
        Stream.of(parts).map(part -> new CombinedLoss.Part(part, 0.5)).toList());
  }

  private static double[] values(PreferenceLoss loss, FDivergence divergence, int... pairs) {
    try (TensorScope scope = TensorScope.open()) {
      LossInputs inputs =
          LossInputs.of(
              new PairLogProbs(
                  column(CHOSEN, 0, pairs),
                  column(REJECTED, 0, pairs),
                  column(CHOSEN, 1, pairs),
                  column(REJECTED, 1, pairs)),
              PairLogProbs.ofSums(column(REFERENCE, 0, pairs), column(REFERENCE, 1, pairs)));
      inputs = LossProbe.withMargins(inputs, column(MARGIN, 0, pairs));
      Objective objective = new Objective(loss, divergence, LengthDesensitizing.NONE, false);
      return Tensors.toDoubles(objective.terms(inputs, inputs.weights()).loss());
    }
  }

  private static Tensor column(double[][] table, int column, int... pairs) {
    return Tensors.doubles(IntStream.of(pairs).mapToDouble(pair -> table[pair][column]).toArray());
  }

  private static boolean same(double a, double b) {
    return Math.abs(a - b) < 1e-9;
  }

  @ParameterizedTest
  @MethodSource("losses")
  void aLossIsSeparableIfAPairHasTheSameLossAlone(PreferenceLoss loss) {
    double[] together = values(loss, FDivergence.NONE, 0, 1);
    boolean alone =
        same(together[0], values(loss, FDivergence.NONE, 0)[0])
            && same(together[1], values(loss, FDivergence.NONE, 1)[0]);
    assertThat(loss.separable()).isEqualTo(alone);
  }

  @ParameterizedTest
  @MethodSource("losses")
  void aLossKeepsPairsIfItsValuesFollowTheOrderOfThePairs(PreferenceLoss loss) {
    double[] straight = values(loss, FDivergence.NONE, 0, 1);
    double[] swapped = values(loss, FDivergence.NONE, 1, 0);
    assertThat(loss.keepsExamples())
        .isEqualTo(same(straight[0], swapped[1]) && same(straight[1], swapped[0]));
  }

  @ParameterizedTest
  @MethodSource("losses")
  void aLossUsesScoresIfADivergenceChangesIt(PreferenceLoss loss) {
    double[] plain = values(loss, FDivergence.NONE, 0, 1);
    double[] other = values(loss, new FDivergence(FDivergence.Type.FORWARD_KL, 0), 0, 1);
    assertThat(loss.usesScores()).isEqualTo(!same(plain[0], other[0]) || !same(plain[1], other[1]));
  }

  @ParameterizedTest
  @MethodSource("losses")
  void aLossNeedsTheReferenceIfItCannotBeComputedWithoutOne(PreferenceLoss loss) {
    try (TensorScope scope = TensorScope.open()) {
      LossInputs inputs =
          LossInputs.of(
              PairLogProbs.ofSums(column(CHOSEN, 0, 0, 1), column(REJECTED, 0, 0, 1)), null);
      if (loss.reference() == ReferenceUse.LOSS) {
        assertThatThrownBy(() -> loss.of(inputs)).hasMessageContaining("needs a reference");
      } else {
        assertThatCode(() -> loss.of(inputs)).doesNotThrowAnyException();
      }
    }
  }

  @Test
  void aSumOfLossesHasAReferenceForItsRewardsUnlessAPartExcludesIt() {
    PreferenceLoss sft = new SftLoss(BETA);
    PreferenceLoss simpo = new SimpoLoss(BETA, 0, 0);
    assertThat(combined(sft).reference()).isEqualTo(ReferenceUse.REWARDS);
    assertThat(combined(sft, simpo).reference()).isEqualTo(ReferenceUse.NONE);
    assertThat(combined(sft, simpo, new SigmoidLoss(BETA)).reference())
        .isEqualTo(ReferenceUse.LOSS);
  }

  /** Beta 0.5, log-probability -3 over 4 tokens. */
  @Test
  void aSumOfLossesAveragesRewardsAsItsFirstPartWithoutAReference() {
    PreferenceLoss sft = new SftLoss(BETA);
    PreferenceLoss simpo = new SimpoLoss(BETA, 0, 0);
    PreferenceLoss cpo = new CpoLoss(BETA, 0, 0);
    assertThat(chosenReward(combined(sft))).isEqualTo(-1.5);
    assertThat(chosenReward(combined(sft, simpo, cpo))).isEqualTo(-0.375);
    assertThat(chosenReward(combined(cpo, simpo))).isEqualTo(-1.5);
  }

  private static double chosenReward(PreferenceLoss loss) {
    try (TensorScope scope = TensorScope.open()) {
      PairLogProbs policy =
          new PairLogProbs(
              Tensors.doubles(-3), Tensors.doubles(-8), Tensors.doubles(4), Tensors.doubles(2));
      LossInputs inputs = LossInputs.of(policy, null);
      return Objective.of(loss).terms(inputs, inputs.weights()).chosenRewards().item_double();
    }
  }

  /** The names of the option {@code loss_type}, in the order of {@link EveryLossTest#losses}. */
  @Test
  void namesAreTheValuesOfTheOption() {
    assertThat(EveryLossTest.losses().map(row -> ((PreferenceLoss) row.get()[0]).name()))
        .containsExactly(
            "sigmoid",
            "sigmoid_norm",
            "hinge",
            "ipo",
            "ipo_sum",
            "unit_margin",
            "exo_pair",
            "nca_pair",
            "robust",
            "bco_pair",
            "sppo_hard",
            "aot",
            "aot_unpaired",
            "apo_zero",
            "apo_down",
            "discopop",
            "sft",
            "dpop",
            "odpo",
            "simpo",
            "cpo",
            "orpo",
            "sigmoid,bco_pair");
  }

  /**
   * ORPO with averages above -ln 2 and below: p = 3/4 and 1/4 have odds 3 and 1/3, so the log of
   * their ratio is ln 9, and the loss -ln(3/4) + 0.5 ln(1 + 1/9). The other way round it is
   * -ln(1/4) + 0.5 ln(1 + 9).
   */
  @Test
  void oddsAreThoseOfTheProbabilitiesOnBothSidesOfOneHalf() {
    assertThat(orpo(0.75, 0.25))
        .usingComparator(relative(1e-12))
        .isEqualTo(-Math.log(0.75) + 0.5 * Math.log1p(1.0 / 9));
    assertThat(orpo(0.25, 0.75))
        .usingComparator(relative(1e-12))
        .isEqualTo(-Math.log(0.25) + 0.5 * Math.log(10));
  }

  /** Of p = 1 - 1e-12, whose odds 1e12 - 1 a subtraction from 1 would give to four digits. */
  @Test
  void oddsOfANearlyCertainCompletionLoseNoDigits() {
    double logp = -1e-12;
    try (TensorScope scope = TensorScope.open()) {
      LossInputs inputs =
          LossInputs.of(PairLogProbs.ofSums(Tensors.doubles(logp), Tensors.doubles(-40)), null);
      double ratio = Math.log(1e12) + 40; // ln(1e12) - ln(e^-40), up to 1e-12
      assertThat(new OrpoLoss(1).of(inputs).item_double() + logp)
          .usingComparator(relative(1e-6))
          .isEqualTo(Math.log1p(Math.exp(-ratio)));
    }
  }

  private static double orpo(double chosen, double rejected) {
    try (TensorScope scope = TensorScope.open()) {
      LossInputs inputs =
          LossInputs.of(
              PairLogProbs.ofSums(
                  Tensors.doubles(Math.log(chosen)), Tensors.doubles(Math.log(rejected))),
              null);
      return new OrpoLoss(0.5).of(inputs).item_double();
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -0.1, Double.NaN, Double.POSITIVE_INFINITY})
  void noLossAcceptsABetaThatIsNotPositiveAndFinite(double beta) {
    List<DoubleFunction<PreferenceLoss>> all =
        List.of(
            b -> new AotLoss(b, 0),
            b -> new AotUnpairedLoss(b, 0),
            ApoDownLoss::new,
            ApoZeroLoss::new,
            BcoPairLoss::new,
            b -> new CpoLoss(b, 0, 0),
            b -> new DiscoPopLoss(b, 0.05),
            b -> new DpopLoss(b, 0),
            b -> new ExoPairLoss(b, 0.1),
            NcaPairLoss::new,
            OrpoLoss::new,
            b -> new RobustLoss(b, 0),
            SftLoss::new,
            b -> new SimpoLoss(b, 0, 0),
            SppoHardLoss::new);
    for (DoubleFunction<PreferenceLoss> make : all) {
      refused(() -> make.apply(beta), "beta must be positive and finite but was " + beta);
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {-0.01, 0.51, Double.NaN})
  void noLossAcceptsASmoothingOutsideZeroToOneHalf(double smoothing) {
    List<DoubleFunction<PreferenceLoss>> all =
        List.of(
            s -> new AotLoss(BETA, s),
            s -> new AotUnpairedLoss(BETA, s),
            s -> new CpoLoss(BETA, 0, s),
            s -> new ExoPairLoss(BETA, s),
            s -> new RobustLoss(BETA, s),
            s -> new SimpoLoss(BETA, 0, s));
    for (DoubleFunction<PreferenceLoss> make : all) {
      refused(
          () -> make.apply(smoothing),
          "label_smoothing must be between 0 and 0.5 but was " + smoothing);
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -1, Double.NaN, Double.POSITIVE_INFINITY})
  void aPartOfASumNeedsAPositiveWeight(double weight) {
    refused(
        () -> new CombinedLoss.Part(new SigmoidLoss(BETA), weight),
        "loss_weights must be positive and finite but was " + weight);
  }

  /** Delta_w = -1.5, Delta_l = 0: without a penalty z = -0.75. */
  @Test
  void dpopWithoutAPenaltyIsDpo() {
    LossProbe.Pair pair = LossProbe.Pair.ofRatios(-1.5, 0, 1, 1);
    assertThat(LossProbe.of(new DpopLoss(BETA, 0), pair))
        .isEqualTo(LossProbe.of(new SigmoidLoss(BETA), pair));
  }

  @Test
  void inputsOfAnotherBatchSizeAreRefused() {
    try (TensorScope scope = TensorScope.open()) {
      PairLogProbs two = PairLogProbs.ofSums(Tensors.doubles(-1, -2), Tensors.doubles(-3, -4));
      Tensor one = Tensors.doubles(1);
      Tensor right = Tensors.doubles(1, 1);
      for (int wrong = 0; wrong < 4; wrong++) {
        int place = wrong;
        assertThatThrownBy(
                () ->
                    new LossInputs(
                        two,
                        null,
                        FDivergence.NONE,
                        place == 0 ? one : right,
                        place == 1 ? one : right,
                        place == 2 ? one : right,
                        place == 3 ? one : right))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining(
                List.of("chosenSums", "chosenScored", "weights", "margins").get(place))
            .hasMessageContaining("must have shape [2] but has [1]");
      }
    }
  }

  private static void refused(ThrowingCallable making, String message) {
    assertThatThrownBy(making).isInstanceOf(UsageException.class).hasMessageStartingWith(message);
  }
}
