package org.dpo4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dpo4j.Closeness.relative;

import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.Engine;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.torch.WorkerPool;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Closes: a block that sees a key too few or too many at its border, and gradients that go to the
 * wrong rows. Prompts and completions are longer than a block; what is expected comes from {@link
 * FlatAttention} and libtorch's autograd.
 */
class BlockedAttentionTest {

  private static final int HEADS = 4;
  private static final int HEAD_DIM = 3;
  private static final double SCALE = 0.7;
  private static final int B = BlockedAttention.BLOCK_ROWS;

  private static final FlatSequences SEQUENCES =
      new FlatSequences.Builder()
          .add(new int[3], new int[4], new int[6])
          .add(new int[B + 1], new int[2 * B + 1], new int[B + 2]) // one row behind a border
          .add(new int[B], new int[B + 1], new int[2]) // at the border: the last one is not fed
          .add(new int[0], new int[B + 20], new int[1]) // no prompt, and nothing
          .add(new int[2 * B + 30]) // no completion
          .build();

  @AfterEach
  void allThreadsAgain() {
    Engine.setThreads(0);
  }

  @ParameterizedTest
  @CsvSource({"1,1", "1,2", "2,1", "2,2", "2,3", "4,2"})
  void agreesWithTheOtherAttention(int keyHeads, int threads) {
    Engine.setThreads(threads);
    for (int window : new int[] {1, 5, B, B + 70, AttentionLayer.ALL}) {
      for (double cap : new double[] {0, 0.5}) {
        assertAgreement(keyHeads, layer(window, cap), token -> true);
        assertAgreementWithSinks(keyHeads, layer(window, cap), token -> true);
      }
    }
  }

  /** As in the last block of a model, where few of the outputs are needed. */
  @Test
  void whatIsNotWantedCountsForNothing() {
    for (int window : new int[] {5, AttentionLayer.ALL}) {
      AttentionLayer layer = layer(window, 0);
      assertAgreement(2, layer, token -> token % (2 * B) < 9);
      assertAgreementWithSinks(2, layer, token -> token % (2 * B) < 9);
      assertAgreement(2, layer, token -> token == 2 * B);
      assertAgreement(2, layer, token -> false);
    }
  }

  private static AttentionLayer layer(int window, double cap) {
    return new AttentionLayer(0, SCALE, window, cap, null);
  }

  /** A sink for each query head, some of which take more of a softmax than all keys. */
  private static void assertAgreementWithSinks(
      int keyHeads, AttentionLayer layer, IntPredicate wanted) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor sinks = Tensors.doubles(0.5, -1, 7, 2);
      try (NoGrad noGrad = NoGrad.open()) {
        sinks.set_requires_grad(true).mutable_grad().put(Tensors.doubles(0, 0, 0, 0));
      }
      assertAgreement(
          keyHeads,
          new AttentionLayer(0, layer.scale(), layer.window(), layer.cap(), sinks),
          wanted);
    }
  }

  private static void assertAgreement(int keyHeads, AttentionLayer layer, IntPredicate wanted) {
    Random random = new Random(keyHeads);
    try (TensorScope scope = TensorScope.open()) {
      Tensor query = random(random, HEADS).set_requires_grad(true);
      Tensor key = random(random, keyHeads).set_requires_grad(true);
      Tensor value = random(random, keyHeads).set_requires_grad(true);
      double[] mask =
          IntStream.range(0, SEQUENCES.tokens()).mapToDouble(i -> wanted.test(i) ? 1 : 0).toArray();
      Tensor gradient = random(random, HEADS).mul(Tensors.doubles(mask).view(-1, 1, 1));
      Tensor expected =
          new FlatAttention(SEQUENCES, query, List.of(layer.window()))
              .attend(layer, query, key, value);
      expected.mul(gradient).sum().backward();
      try (NoGrad noGrad = NoGrad.open()) {
        assertAgreement(wanted, layer, query, key, value, gradient, expected);
      }
    }
  }

  private static void assertAgreement(
      IntPredicate wanted,
      AttentionLayer layer,
      Tensor query,
      Tensor key,
      Tensor value,
      Tensor gradient,
      Tensor expected) {
    int keyHeads = (int) key.size(1);
    int repeats = HEADS / keyHeads;
    BlockedAttention attention =
        BlockedAttention.of(
            SEQUENCES, wanted, layer.window(), keyHeads, repeats, query, WorkerPool.get().size());
    BlockedAttention.Heads heads =
        new BlockedAttention.Heads(grouped(query, keyHeads), byHead(key), byHead(value));
    Tensor attended = Tensors.emptyLike(query, heads.query().shape());
    WorkerPool.get().runJobs(attention.forward(layer, heads, attended));
    Tensor rows = Tensors.longs(IntStream.range(0, SEQUENCES.tokens()).filter(wanted).toArray());
    assertSame(ungrouped(attended).index_select(0, rows), expected.index_select(0, rows));

    Tensor outGradient = grouped(gradient, keyHeads);
    BlockedAttention.Heads gradients =
        new BlockedAttention.Heads(
            Tensors.emptyLike(query, heads.query().shape()),
            Tensors.emptyLike(query, heads.key().shape()),
            Tensors.emptyLike(query, heads.value().shape()));
    Tensor bySinks =
        layer.sinks() == null ? null : Tensors.zerosLike(query, attention.jobs(), HEADS);
    WorkerPool.get().runJobs(attention.backward(layer, heads, outGradient, gradients, bySinks));
    if (bySinks != null) {
      assertSame(bySinks.sum(0), Objects.requireNonNull(layer.sinks()).grad());
    }
    assertSame(ungrouped(gradients.query()), query.grad());
    assertSame(gradients.key().transpose(0, 1), key.grad());
    assertSame(gradients.value().transpose(0, 1), value.grad());
  }

  private static Tensor random(Random random, int heads) {
    int tokens = SEQUENCES.tokens();
    double[] values = random.doubles((long) tokens * heads * HEAD_DIM, -1, 1).toArray();
    return Tensors.doubles(values).view(tokens, heads, HEAD_DIM).to(ElementType.F64.scalarType());
  }

  private static Tensor byHead(Tensor tokens) {
    return tokens.transpose(0, 1).contiguous();
  }

  /** (tokens, heads, headDim) to (kvHeads, tokens, repeats, headDim). */
  private static Tensor grouped(Tensor tokens, int keyHeads) {
    return byHead(tokens.view(tokens.size(0), keyHeads, HEADS / keyHeads, HEAD_DIM));
  }

  private static Tensor ungrouped(Tensor heads) {
    return heads.transpose(0, 1).reshape(-1, HEADS, HEAD_DIM);
  }

  private static void assertSame(Tensor actual, Tensor expected) {
    assertThat(Tensors.toDoubles(actual.contiguous().view(-1)))
        .usingElementComparator(relative(1e-12))
        .containsExactly(Tensors.toDoubles(expected.contiguous().view(-1)));
  }
}
