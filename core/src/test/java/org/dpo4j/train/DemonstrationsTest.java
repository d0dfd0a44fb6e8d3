package org.dpo4j.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.Closeness.relative;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.dpo4j.ExampleKind;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.TrainingMetrics;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.data.RowNumbers;
import org.dpo4j.encode.EncodedCompletion;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.logprob.SequenceLogProbs;
import org.dpo4j.loss.Objective;
import org.dpo4j.loss.TokenLoss;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.SmallModel;
import org.dpo4j.optim.AdamW;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.reference.PrecomputedReference;
import org.dpo4j.torch.ElementType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * Closes: a mean over tokens that is one over examples, packs that change what is learned, and
 * demonstrations without a token to learn that make numbers of nothing.
 */
class DemonstrationsTest {

  private static final Objective NLL = Objective.of(new TokenLoss());
  private static final List<EncodedExample> PAIRS = SmallPairs.random(6, 9);

  private final CausalLm model = SmallModel.LLAMA.create(ElementType.F64, 3);

  @AfterEach
  void close() {
    model.close();
  }

  /** The chosen completions, each with a weight. */
  private static EncodedExample demonstration(int index, double weight) {
    EncodedExample pair = PAIRS.get(index);
    return new EncodedExample(
        pair.origin(),
        pair.promptIds(),
        List.of(new EncodedCompletion(CompletionRole.CHOSEN, pair.chosenIds())),
        RowNumbers.ofWeight(weight));
  }

  private static List<EncodedExample> demonstrations() {
    List<EncodedExample> examples = new ArrayList<>();
    for (int i = 0; i < PAIRS.size(); i++) {
      examples.add(demonstration(i, 1 + i % 3));
    }
    return examples;
  }

  /** A demonstration of which no token is scored. */
  private static EncodedExample nothing(int tokens) {
    BitSet all = new BitSet();
    all.set(0, tokens);
    return new EncodedExample(
        PAIRS.get(0).origin(),
        new int[] {1},
        List.of(new EncodedCompletion(CompletionRole.CHOSEN, new int[tokens], all)),
        RowNumbers.NONE);
  }

  private TrainingMetrics evaluate(List<EncodedExample> examples, int batchSize) {
    return new TrainingData(examples, null).evaluate(LogProbEngine.cpu(), model, NLL, batchSize);
  }

  @Test
  void theLossIsTheMeanOverAllTokensEachWithTheWeightOfItsExample() {
    double sum = 0;
    double weights = 0;
    double logProbs = 0;
    for (EncodedExample example : demonstrations()) {
      for (double term :
          SequenceLogProbs.tokenLogProbs(model, example.promptIds(), example.chosenIds())) {
        sum -= example.weight() * term;
        weights += example.weight();
        logProbs += term;
      }
    }
    for (int batchSize : new int[] {1, 4, 6}) {
      TrainingMetrics found = evaluate(demonstrations(), batchSize);
      assertThat(found.kind()).isEqualTo(ExampleKind.DEMONSTRATIONS);
      assertThat(found.loss()).usingComparator(relative(1e-9)).isEqualTo(sum / weights);
      assertThat(found.logpsChosen()).usingComparator(relative(1e-9)).isEqualTo(logProbs / 6);
      assertThat(found.entropy()).isPositive();
      assertThat(found.meanTokenAccuracy()).isBetween(0.0, 1.0);
      assertThat(found.rewardsChosen()).isZero();
      assertThat(found.logpsRejected()).isNaN();
      assertThat(found.logitsRejected()).isNaN();
      assertThat(found.kl()).isNaN();
    }
  }

  @Test
  void whatHasNothingToLearnChangesNoMean() {
    List<EncodedExample> some = new ArrayList<>(demonstrations());
    double loss = evaluate(some, 2).loss();
    some.add(2, nothing(3));
    some.add(3, nothing(1));
    assertThat(evaluate(some, 2).loss()).usingComparator(relative(1e-12)).isEqualTo(loss);
    assertThat(evaluate(some, 3).loss()).usingComparator(relative(1e-12)).isEqualTo(loss);
  }

  @Test
  void thereIsAtLeastOneExample() {
    List<EncodedExample> none = List.of();
    assertThatThrownBy(() -> new TrainingData(none, null))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void examplesComeWithTheirReferenceAndRowsWithTheirPacks() {
    LogProbTable table = LogProbTable.of(new double[] {-1, -2, -3}, 1);
    TrainingData data =
        new TrainingData(
            demonstrations().subList(0, 3),
            new PrecomputedReference(table),
            List.of(new int[] {2}, new int[] {1, 0}));
    assertThat(data.rows(1, 0))
        .extracting(scored -> scored.example().origin().row())
        .containsExactly(2, 1, 3);
    assertThat(data.rows(1).get(0).reference()).containsExactly(-2);
    assertThat(data.read(2).get(0).reference()).containsExactly(-3);
    TrainingData single = new TrainingData(demonstrations(), null);
    assertThat(single.rows(3, 1))
        .extracting(scored -> scored.example().origin().row())
        .containsExactly(4, 2);
    assertThat(single.read(3).get(0).reference()).isNull();
  }

  /** The same examples in a step, once two packs of three and once six rows. */
  @Test
  void packsLearnWhatTheirExamplesLearn() {
    List<EncodedExample> examples = demonstrations();
    List<StepReport> packed = new ArrayList<>();
    List<StepReport> apart = new ArrayList<>();
    double[] ofPacks =
        train(examples, List.of(new int[] {0, 1, 2}, new int[] {3, 4, 5}), 1, packed);
    double[] ofRows = train(examples, null, 3, apart);
    assertThat(ofPacks).usingElementComparator(relative(1e-12)).containsExactly(ofRows);
    assertThat(packed).extracting(StepReport::examples).containsExactly(6, 6);
    assertThat(packed.get(1).metrics().loss())
        .usingComparator(relative(1e-12))
        .isEqualTo(apart.get(1).metrics().loss());
    assertThat(packed.get(1).numTokens())
        .isEqualTo(apart.get(1).numTokens())
        .isEqualTo(2L * examples.stream().mapToInt(EncodedExample::tokens).sum());
  }

  /** It counts as an example and as tokens, and has no part in the loss. */
  @Test
  void anExampleWithoutATokenToLearnMovesNothing() {
    List<EncodedExample> examples = new ArrayList<>(demonstrations().subList(0, 4));
    List<StepReport> plain = new ArrayList<>();
    List<StepReport> more = new ArrayList<>();
    double[] expected = train(examples, null, 4, plain);
    examples.add(1, nothing(3));
    assertThat(train(examples, null, 5, more))
        .usingElementComparator(relative(1e-12))
        .containsExactly(expected);
    assertThat(more).extracting(StepReport::examples).containsExactly(5, 5);
    assertThat(more.get(0).metrics().loss())
        .usingComparator(relative(1e-12))
        .isEqualTo(plain.get(0).metrics().loss());
    assertThat(more.get(0).numTokens()).isEqualTo(plain.get(0).numTokens() + 4);
  }

  /** Two steps of two micro-batches, or one; the weights afterwards. */
  private double[] train(
      List<EncodedExample> examples,
      @Nullable List<int[]> packs,
      int microBatchSize,
      List<StepReport> steps) {
    int rows = packs == null ? examples.size() : packs.size();
    try (CausalLm policy = model.copy();
        TrainingSession session =
            new TrainingSession(
                policy,
                new TrainingData(examples, null, packs),
                NLL,
                new Trainer.Settings(
                    new EpochPlan(rows, microBatchSize, 2, EpochPlan.Order.FILE, 1),
                    2,
                    LearningRateSchedule.constant(1e-3),
                    AdamW.Settings.ADAM,
                    1,
                    0,
                    1,
                    Computation.PLAIN,
                    true))) {
      new Trainer(
              session,
              new TrainingListener() {
                @Override
                public void onStep(StepReport step, TrainingControl control) {
                  steps.add(step);
                }
              })
          .train();
      assertThat(session.examplesSeen()).isEqualTo(2L * examples.size());
      return SmallModel.weights(policy);
    }
  }
}
