package org.dpo4j.encode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.BitSet;
import java.util.List;
import java.util.OptionalDouble;
import java.util.Set;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.data.RowNumbers;
import org.dpo4j.data.RowOrigin;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Closes: tokens that are counted, cut or scored on the wrong side of a boundary. */
class EncodedExampleTest {
  private static final RowOrigin ORIGIN = new RowOrigin("f", 7, 5);

  private static EncodedExample pair(int[] prompt) {
    return new EncodedExample(
        ORIGIN, prompt, new int[] {11, 12, 13}, new int[] {21, 22}, RowNumbers.ofWeight(0.5));
  }

  private static EncodedExample single(int[] prompt, EncodedCompletion completion) {
    return new EncodedExample(ORIGIN, prompt, List.of(completion), RowNumbers.ofWeight(2));
  }

  private static EncodedCompletion completion(int[] ids, int... unscored) {
    BitSet places = new BitSet();
    for (int place : unscored) {
      places.set(place);
    }
    return new EncodedCompletion(CompletionRole.CHOSEN, ids, places);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -1, Double.NaN, Double.POSITIVE_INFINITY})
  void aWeightIsPositiveAndFinite(double weight) {
    assertThatThrownBy(() -> RowNumbers.ofWeight(weight))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("weight must be positive and finite but was " + weight);
    assertThat(RowNumbers.ofWeight(Double.MIN_VALUE).weight()).hasValue(Double.MIN_VALUE);
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
  void aMarginIsFinite(double margin) {
    assertThatThrownBy(() -> new RowNumbers(OptionalDouble.empty(), OptionalDouble.of(margin)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("margin must be finite but was " + margin);
  }

  @Test
  void anExampleKeepsItsNumbersInEveryForm() {
    RowNumbers numbers = new RowNumbers(OptionalDouble.of(0.5), OptionalDouble.of(-7));
    EncodedExample pair =
        new EncodedExample(
            ORIGIN, new int[] {1, 2}, new int[] {11, 12, 13}, new int[] {21, 22}, numbers);
    EncodedExample liked = pair.only(role -> role == CompletionRole.CHOSEN);
    assertThat(
            List.of(
                pair,
                liked,
                pair.cut(4),
                pair.only(pair.completions().get(1)),
                liked.withPromptLearned(),
                liked.unscored(new BitSet()),
                pair.with(new EncodedCompletion(CompletionRole.MISMATCHED, new int[] {9}))))
        .extracting(EncodedExample::numbers)
        .containsOnly(numbers);
    assertThat(pair.weight()).isEqualTo(0.5);
    assertThat(pair.margin()).isEqualTo(-7);
  }

  @Test
  void withoutNumbersTheWeightIsOneAndAMarginIsAnError() {
    EncodedExample plain = new EncodedExample(ORIGIN, new int[] {1}, new int[] {2}, new int[] {3});
    assertThat(plain.weight()).isEqualTo(1);
    assertThatThrownBy(plain::margin)
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("[f:7] has no margin");
  }

  @Test
  void aPairHasTwoSidesAndASingleCompletionOne() {
    EncodedExample pair = pair(new int[] {1});
    EncodedExample liked = pair.only(role -> role == CompletionRole.CHOSEN);
    EncodedExample disliked = pair.only(role -> role == CompletionRole.REJECTED);
    EncodedExample mismatched =
        liked.with(new EncodedCompletion(CompletionRole.MISMATCHED, new int[] {9}));

    assertThat(List.of(pair, liked, disliked, mismatched))
        .extracting(EncodedExample::isPair)
        .containsExactly(true, false, false, false);
    assertThat(liked.isDesirable()).isTrue();
    assertThat(disliked.isDesirable()).isFalse();
    assertThat(pair.completions()).extracting(pair::column).containsExactly("chosen", "rejected");
    assertThat(liked.column(liked.completions().get(0))).isEqualTo("completion");
    assertThat(liked.chosenIds()).containsExactly(11, 12, 13);
    assertThat(disliked.rejectedIds()).containsExactly(21, 22);
    assertThatThrownBy(liked::rejectedIds)
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("[f:7] has no completion that is REJECTED");
  }

  @Test
  void aMismatchedCompletionIsNeitherTrainedNorCounted() {
    EncodedExample pair = pair(new int[] {1, 2});
    EncodedExample mismatched =
        pair.with(new EncodedCompletion(CompletionRole.MISMATCHED, new int[] {9, 9, 9, 9}));

    assertThat(pair.trained()).isSameAs(pair);
    assertThat(mismatched.trained().completions()).isEqualTo(pair.completions());
    assertThat(mismatched.trained().weight()).isEqualTo(0.5);
    assertThat(mismatched.tokens()).isEqualTo(pair.tokens()).isEqualTo(2 + 3 + 2 + 2);
  }

  @Test
  void theCutLeavesEachCompletionWhatThePromptLeaves() {
    EncodedExample cut = pair(new int[] {1, 2}).cut(4);
    assertThat(cut.promptIds()).containsExactly(1, 2);
    assertThat(cut.chosenIds()).containsExactly(11, 12);
    assertThat(cut.rejectedIds()).containsExactly(21, 22);
    assertThat(cut.weight()).isEqualTo(0.5);
    assertThat(pair(new int[] {1, 2, 3}).cut(2).chosenIds()).isEmpty();
  }

  @Test
  void aCompletionThatIsCutKeepsItsUnscoredPlaces() {
    EncodedCompletion whole = completion(new int[] {11, 12, 13, 14}, 0, 1, 3);
    assertThat(whole.first(4)).isSameAs(whole);
    assertThat(whole.first(3).ids()).containsExactly(11, 12, 13);
    assertThat(whole.first(3).unscored()).isEqualTo(completion(new int[0], 0, 1).unscored());
    assertThat(new EncodedCompletion(CompletionRole.CHOSEN, new int[] {1, 2}).first(1).unscored())
        .isNull();
  }

  @Test
  void completionsWithTheSameIdsAreTheSameInAnyRole() {
    EncodedCompletion one = completion(new int[] {1});
    EncodedCompletion two = completion(new int[] {2});
    assertThat(EncodedCompletion.sameIds(List.of(one), List.of(one.as(CompletionRole.REJECTED))))
        .isTrue();
    assertThat(EncodedCompletion.sameIds(List.of(one, two), List.of(one, one))).isFalse();
    assertThat(EncodedCompletion.sameIds(List.of(one), List.of(one, two))).isFalse();
  }

  /** Nothing predicts the first token of a sequence, which counts only if it was to be scored. */
  @Test
  void scoredTokensArePredictedOnes() {
    int[] ids = {11, 12, 13};
    assertThat(pair(new int[] {1}).scoredTokens()).isEqualTo(3 + 2);
    assertThat(pair(new int[0]).scoredTokens()).isEqualTo(2 + 1);
    assertThat(single(new int[] {1}, completion(ids, 0, 2)).scoredTokens()).isEqualTo(1);
    assertThat(single(new int[0], completion(ids, 0, 2)).scoredTokens()).isEqualTo(1);
    assertThat(single(new int[0], completion(ids, 2)).scoredTokens()).isEqualTo(1);
  }

  @Test
  void aPromptThatIsLearnedIsPartOfTheCompletion() {
    EncodedExample learned =
        single(new int[] {1, 2}, new EncodedCompletion(CompletionRole.CHOSEN, new int[] {3}))
            .withPromptLearned();
    assertThat(learned.promptIds()).isEmpty();
    assertThat(learned.chosenIds()).containsExactly(1, 2, 3);
    assertThat(learned.weight()).isEqualTo(2);
    assertThat(learned.origin()).isEqualTo(ORIGIN);
  }

  @Test
  void aPromptIsMoreThanTheBeginningOfASequence() {
    int bos = 7;
    assertThat(pair(new int[0]).hasPrompt(bos)).isFalse();
    assertThat(pair(new int[] {bos}).hasPrompt(bos)).isFalse();
    assertThat(pair(new int[] {8}).hasPrompt(bos)).isTrue();
    assertThat(pair(new int[] {bos, bos}).hasPrompt(bos)).isTrue();
  }

  @Test
  void aRowHasAnExampleUnlessItIsDropped() {
    EncodedExample pair = pair(new int[] {1});
    for (EncodedRow.Status status : EncodedRow.Status.values()) {
      EncodedExample wrong = status == EncodedRow.Status.DROPPED ? pair : null;
      assertThatThrownBy(
              () ->
                  new EncodedRow(
                      ORIGIN,
                      status,
                      "",
                      wrong,
                      EncodedRow.Lengths.of(pair),
                      EncodedRow.RenderedTexts.NONE,
                      List.of(),
                      Set.of(),
                      Set.of(),
                      RowNumbers.NONE))
          .isInstanceOf(IllegalArgumentException.class);
    }
    assertThat(EncodedRow.Lengths.of(pair)).isEqualTo(new EncodedRow.Lengths(1, List.of(3, 2)));
  }

  @Test
  void limitsAndThreadsThatMakeNoSenseAreRefused() {
    EncodingLimits least = new EncodingLimits(0, 1, 1);
    assertThat(least.cuts()).isFalse();
    assertThat(new EncodingLimits(1, 1, 1).cuts()).isTrue();
    assertThatThrownBy(() -> new EncodingLimits(-1, 1, 1))
        .hasMessage("limits must be positive (maxLength 0 or more) but were -1, 1, 1");
    assertThatThrownBy(() -> new EncodingLimits(0, 0, 1))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new EncodingLimits(0, 1, 0))
        .isInstanceOf(IllegalArgumentException.class);

    EncodingResources machine = EncodingResources.ofMachine();
    assertThat(new EncodingResources(1, machine.folder()).threads()).isOne();
    assertThatThrownBy(() -> new EncodingResources(0, machine.folder()))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(EncodingResources.threads(3)).isEqualTo(3);
    assertThat(EncodingResources.threads(0))
        .isEqualTo(machine.threads())
        .isEqualTo(Runtime.getRuntime().availableProcessors());
  }
}
