package org.dpo4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.Closeness.relative;

import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes: a mask that is off by one, a completion that sees its neighbour, and grouped queries that
 * take the keys of another head. The expected values come from loops over an explicit table of who
 * sees whom.
 */
class FlatAttentionTest {

  private static final int HEADS = 4;
  private static final int HEAD_DIM = 3;

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4})
  void agreesWithTheTextbookOnEveryLayout(int kvHeads) {
    FlatSequences sequences =
        new FlatSequences.Builder()
            .add(new int[3], new int[4], new int[6]) // a pair
            .add(new int[1], new int[1], new int[2], new int[5]) // three completions, one not fed
            .add(new int[0], new int[3], new int[4]) // no prompt
            .add(new int[5]) // no completion
            .add(new int[2], new int[0], new int[3]) // an empty completion
            .add(new int[0], new int[1], new int[1]) // nothing is fed
            .build();
    assertAgreement(sequences, kvHeads);
  }

  /** Groups of more than 256 tokens are cut into several calls. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4})
  void agreesWithTheTextbookOnLongGroups(int kvHeads) {
    FlatSequences sequences =
        new FlatSequences.Builder()
            .add(new int[3], new int[4], new int[6])
            .add(new int[200], new int[40], new int[1], new int[60]) // one is not fed
            .add(new int[0], new int[130], new int[140]) // no prompt
            .add(new int[9], new int[0], new int[300]) // an empty completion
            .add(new int[270]) // no completion
            .add(new int[2], new int[3])
            .build();
    assertAgreement(sequences, kvHeads);
  }

  @Test
  void refusesAWindowThatNobodyAnnounced() {
    FlatSequences sequences = FlatSequences.of(new int[9]);
    try (TensorScope scope = TensorScope.open()) {
      Tensor states = random(new Random(1), 9, HEADS);
      FlatAttention attention = new FlatAttention(sequences, states, List.of(4));
      assertThatThrownBy(
              () -> attention.attend(new AttentionLayer(0, 1, 5), states, states, states))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  private static void assertAgreement(FlatSequences sequences, int kvHeads) {
    for (int window : new int[] {1, 2, 5, 250, AttentionLayer.ALL}) {
      assertAgreement(sequences, kvHeads, new AttentionLayer(0, 0.7, window));
    }
  }

  private static void assertAgreement(FlatSequences sequences, int kvHeads, AttentionLayer layer) {
    int tokens = sequences.tokens();
    Random random = new Random(kvHeads);
    try (TensorScope scope = TensorScope.open()) {
      Tensor query = random(random, tokens, HEADS);
      Tensor key = random(random, tokens, kvHeads);
      Tensor value = random(random, tokens, kvHeads);
      Tensor flat =
          new FlatAttention(sequences, query, List.of(layer.window()))
              .attend(layer, query, key, value);
      Tensor naive = NaiveAttention.of(sequences).attend(layer, query, key, value);
      assertThat(flat.shape()).containsExactly(tokens, HEADS, HEAD_DIM);
      assertThat(Tensors.toDoubles(flat))
          .usingElementComparator(relative(1e-12))
          .containsExactly(Tensors.toDoubles(naive));
    }
  }

  private static Tensor random(Random random, int tokens, int heads) {
    double[] values = random.doubles((long) tokens * heads * HEAD_DIM, -3, 3).toArray();
    return Tensors.doubles(values).view(tokens, heads, HEAD_DIM);
  }
}
