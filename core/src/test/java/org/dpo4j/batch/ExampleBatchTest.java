package org.dpo4j.batch;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.Stream;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.encode.EncodedExample;
import org.junit.jupiter.api.Test;

/** Closes: a prompt computed twice in a batch, and a completion that goes to another pair. */
class ExampleBatchTest {

  /** Pairs 0 and 2 have the prompt 7 8, and their completions lie behind it one after another. */
  @Test
  void pairsWithOnePromptShareItAndKeepTheirNumbers() {
    List<EncodedExample> pairs =
        List.of(
            pair(ids(7, 8), ids(1, 2), ids(3)),
            pair(ids(9), ids(4), ids(5, 6)),
            pair(ids(7, 8), ids(10), ids(11, 12)));
    FlatSequences flat = ExampleBatch.of(pairs).sequences();
    assertThat(flat.groups())
        .containsExactly(
            new FlatSequences.Group(0, 2, List.of(1, 0, 0, 1)),
            new FlatSequences.Group(4, 1, List.of(0, 1)));
    assertThat(flat.ids()).containsExactly(7, 8, 1, 11, 9, 5);
    assertThat(flat.sequenceOf()).containsExactly(0, 0, 1, 4, 5, 5, 2, 3, 3);
    assertThat(flat.targets()).containsExactly(1, 2, 3, 10, 11, 12, 4, 5, 6);
    assertThat(flat.lengths()).containsExactly(2, 1, 1, 2, 1, 2);
  }

  @Test
  void thePairsOfAnEmptyPromptStayApart() {
    List<EncodedExample> pairs =
        List.of(pair(ids(), ids(1, 2), ids(3)), pair(ids(), ids(4), ids(5, 6)));
    assertThat(ExampleBatch.of(pairs).sequences().groups()).hasSize(2);
  }

  @Test
  void aBatchIsCutWhereItsBudgetOfTokensEnds() {
    List<EncodedExample> pairs =
        List.of(
            pair(ids(1, 1), ids(2, 2), ids(3, 3)), // 6 tokens
            pair(ids(1, 1), ids(2, 2), ids(3, 3)), // 4 more: the prompt is there
            pair(ids(4), ids(5, 5), ids(6)), // 4
            pair(ids(1, 1), ids(2), ids(3)), // 2 more than the first three, 4 after the third alone
            pair(ids(7), ids(8, 8, 8, 8), ids(9, 9, 9, 9, 9, 9))); // 11
    assertThat(new TokenBudget(10).end(pairs, 0)).isEqualTo(2);
    assertThat(new TokenBudget(9).end(pairs, 0)).isEqualTo(1);
    assertThat(new TokenBudget(16).end(pairs, 0)).isEqualTo(4);
    assertThat(new TokenBudget(8).end(pairs, 2)).isEqualTo(4);
    assertThat(new TokenBudget(7).end(pairs, 2)).isEqualTo(3);
    assertThat(new TokenBudget(10).end(pairs, 4)).as("too long, so alone").isEqualTo(5);
    assertThat(new TokenBudget(1000).end(pairs, 0)).isEqualTo(5);
  }

  @Test
  void aMicroBatchIsCutIntoAsFewPiecesAsFitOfAboutOneSize() {
    assertThat(pieces(50, 6, 1, 3, 2, 0)).containsExactly(List.of(6, 1, 3, 2, 0));
    assertThat(pieces(49, 6, 1, 3, 2)).containsExactly(List.of(6, 1, 3, 2));
    assertThat(pieces(30, 6, 1, 3, 2)).containsExactly(List.of(6, 1), List.of(3, 2));
    assertThat(pieces(5, 4, 5)).as("too long, so alone").containsExactly(List.of(4), List.of(5));
    assertThat(pieces(1, 4)).containsExactly(List.of(4));
  }

  /** Pairs of 6 tokens behind a prompt of 4: 22 tokens for three of one prompt. */
  @Test
  void aPromptCountsOnceInEachPieceThatHasIt() {
    assertThat(pieces(22, 7, 7, 7)).containsExactly(List.of(7, 7, 7));
    assertThat(pieces(18, 7, 7, 7)).containsExactly(List.of(7, 7), List.of(7));
    assertThat(pieces(26, 7, 8, 7)).as("not neighbors").containsExactly(List.of(7, 8, 7));
  }

  /** Two pieces of 10 would have one example each: the prompt alone fills most of them. */
  @Test
  void examplesOfOnePromptShareAPieceWhileTheBudgetLasts() {
    List<EncodedExample> four =
        Stream.of(1, 2, 3, 4).map(last -> pair(new int[8], ids(1), ids(1, last))).toList();
    assertThat(new TokenBudget(14).pieces(four, pair -> pair))
        .containsExactly(four.subList(0, 2), four.subList(2, 4));
  }

  /** 8, 4 and 8 tokens into two pieces of 10: half of the second is as far as the first goes. */
  @Test
  void aPairGoesToThePieceThatHoldsHalfOfIt() {
    EncodedExample eight = pair(ids(1, 2), ids(3, 4, 5), ids(6, 7, 8));
    EncodedExample four = pair(ids(2, 2), ids(3), ids(4));
    EncodedExample last = pair(ids(3, 2), ids(3, 4, 5), ids(6, 7, 8));
    assertThat(new TokenBudget(10).pieces(List.of(eight, four, last), pair -> pair))
        .containsExactly(List.of(eight, four), List.of(last));
  }

  /** Java's hash of 0 31 and of 1 0 is the same, 961 + 31. */
  @Test
  void promptsOfOneHashStayApart() {
    List<EncodedExample> pairs =
        List.of(pair(ids(0, 31), ids(1), ids(2)), pair(ids(1, 0), ids(1), ids(2)));
    assertThat(ExampleBatch.of(pairs).sequences().ids()).containsExactly(0, 31, 1, 0);
  }

  /** Each number stands for a pair of 10 tokens, 4 of them its prompt, which differs by number. */
  private static List<List<Integer>> pieces(int tokens, Integer... numbers) {
    return new TokenBudget(tokens)
        .pieces(
            List.of(numbers), number -> pair(ids(number, 1, 2, 3), ids(5, 6, 7), ids(8, 9, 10)));
  }

  private static EncodedExample pair(int[] prompt, int[] chosen, int[] rejected) {
    return new EncodedExample(new RowOrigin("pairs.jsonl", 1, 1), prompt, chosen, rejected);
  }

  private static int[] ids(int... ids) {
    return ids;
  }
}
