package org.dpo4j.logprob;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.Closeness.relative;

import java.util.ArrayList;
import java.util.List;
import org.dpo4j.DpoException;
import org.dpo4j.batch.TokenBudget;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.SmallModel;
import org.dpo4j.torch.ElementType;
import org.dpo4j.train.SmallPairs;
import org.junit.jupiter.api.Test;

/** Closes: a log-probability that is taken for that of another completion or example. */
class LogProbTableTest {

  private static final LogProbTable PAIRS =
      LogProbTable.of(new double[] {-1, -2, -3}, new double[] {-10, -20, -40});

  @Test
  void eachNumberStandsAtItsExampleAndCompletion() {
    assertThat(PAIRS.size()).isEqualTo(3);
    assertThat(PAIRS.completions()).isEqualTo(2);
    assertThat(PAIRS.of(1)).containsExactly(-2, -20);
    assertThat(PAIRS.chosen(2)).isEqualTo(-3);
    assertThat(PAIRS.rejected(2)).isEqualTo(-40);
    assertThat(PAIRS.at(2, 1)).isEqualTo(-40);
    assertThat(PAIRS.margin(1)).isEqualTo(18);
    assertThat(PAIRS.meanMargin()).isEqualTo((9 + 18 + 37) / 3.0);

    LogProbTable threes = LogProbTable.of(new double[] {1, 2, 3, 4, 5, 6}, 3);
    assertThat(threes.size()).isEqualTo(2);
    assertThat(threes.of(1)).containsExactly(4, 5, 6);
    assertThat(threes.at(0, 2)).isEqualTo(3);
    assertThatThrownBy(() -> threes.at(0, 3)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void numbersThatAreNoWholeExamplesAreRefused() {
    assertThatThrownBy(() -> LogProbTable.of(new double[3], 2))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("there must be 2 values for each example but there are 3 in all");
    assertThatThrownBy(() -> LogProbTable.of(new double[0], 0))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> LogProbTable.of(new double[2], new double[1]))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("there must be as many chosen as rejected but there are 2 and 1");
    assertThat(LogProbTable.of(new double[0], 1).size()).isZero();
    assertThat(LogProbTable.of(new double[0], 2).meanMargin()).isNaN();
  }

  @Test
  void theArrayOfTheCallerIsCopied() {
    double[] values = {-1, -2};
    LogProbTable table = LogProbTable.of(values, 2);
    values[0] = 0;
    assertThat(table.chosen(0)).isEqualTo(-1);
  }

  @Test
  void anExampleIsFiniteIfAllItsCompletionsAre() {
    LogProbTable table =
        LogProbTable.of(
            new double[] {-1, Double.NaN, -1}, new double[] {-1, -1, Double.NEGATIVE_INFINITY});
    assertThat(table.finite(0)).isTrue();
    assertThat(table.finite(1)).isFalse();
    assertThat(table.finite(2)).isFalse();
  }

  @Test
  void aTableHasEachCompletionOfEachExampleInOrder() {
    List<EncodedExample> pairs = SmallPairs.random(5, 3);
    try (CausalLm model = SmallModel.TINY_GPT.create(ElementType.F64, 2)) {
      LogProbTable both =
          LogProbTable.compute(LogProbEngine.cpu(), model, pairs, Integer.MAX_VALUE, done -> {});
      List<EncodedExample> rejected =
          pairs.stream().map(pair -> pair.only(role -> role == CompletionRole.REJECTED)).toList();
      List<Integer> progress = new ArrayList<>();
      LogProbTable single =
          LogProbTable.compute(LogProbEngine.autograd(), model, rejected, 2, progress::add);

      assertThat(progress).containsExactly(2, 4, 5);
      assertThat(both.completions()).isEqualTo(2);
      assertThat(single.completions()).isOne();
      assertThat(single.size()).isEqualTo(5);
      for (int i = 0; i < 5; i++) {
        EncodedExample pair = pairs.get(i);
        assertThat(both.chosen(i))
            .usingComparator(relative(1e-11))
            .isEqualTo(sum(model, pair.promptIds(), pair.chosenIds()));
        assertThat(both.rejected(i))
            .usingComparator(relative(1e-11))
            .isEqualTo(sum(model, pair.promptIds(), pair.rejectedIds()));
        assertThat(single.at(i, 0)).usingComparator(relative(1e-11)).isEqualTo(both.rejected(i));
      }
    }
  }

  private static double sum(CausalLm model, int[] prompt, int[] completion) {
    double sum = 0;
    for (double term : SequenceLogProbs.tokenLogProbs(model, prompt, completion)) {
      sum += term;
    }
    return sum;
  }

  @Test
  void nothingHasAnEmptyTable() {
    try (CausalLm model = SmallModel.TINY_GPT.create(ElementType.F32, 2)) {
      LogProbTable none =
          LogProbTable.compute(LogProbEngine.cpu(), model, List.of(), 2, done -> {});
      assertThat(none.size()).isZero();
      assertThat(none.completions()).isOne();
    }
  }

  @Test
  void examplesWithOtherNumbersOfCompletionsAreRefused() {
    List<EncodedExample> pairs = SmallPairs.random(3, 3);
    List<EncodedExample> mixed =
        List.of(pairs.get(0), pairs.get(1), pairs.get(2).only(role -> role.code() == 0));
    try (CausalLm model = SmallModel.TINY_GPT.create(ElementType.F32, 2)) {
      for (int batchSize : new int[] {1, 3}) {
        assertThatThrownBy(
                () ->
                    LogProbTable.compute(LogProbEngine.cpu(), model, mixed, batchSize, done -> {}))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessage("all examples must have 2 completions");
      }
    }
  }

  @Test
  void anInterruptEndsItBetweenTwoBatches() {
    List<EncodedExample> pairs = SmallPairs.random(3, 3);
    try (CausalLm model = SmallModel.TINY_GPT.create(ElementType.F32, 2)) {
      assertThatThrownBy(
              () ->
                  LogProbTable.compute(
                      LogProbEngine.cpu(),
                      model,
                      pairs,
                      LengthDesensitizing.NONE,
                      new TokenBudget(1),
                      done -> {
                        if (done == 2) {
                          Thread.currentThread().interrupt();
                        }
                      }))
          .isInstanceOf(DpoException.class)
          .hasMessageContaining("after 2 of 3 examples were scored");
    } finally {
      assertThat(Thread.interrupted()).isTrue();
    }
  }
}
