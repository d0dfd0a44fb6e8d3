package org.dpo4j.model;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.torch.RowPartition;
import org.dpo4j.torch.Tensors;
import org.dpo4j.torch.WorkerPool;
import org.jspecify.annotations.Nullable;

/**
 * All tokens of a flat batch, or a subset of them, divided among the threads of a worker pool. A
 * tensor "of all tokens" has a row for every token of the batch; a tensor "of the subset" has a row
 * for each token of the subset. Tensors that methods return belong to the caller's scope.
 */
final class TokenRows {

  private final FlatSequences sequences;
  private final WorkerPool workers;
  private final int @Nullable [] subset; // tokens, ascending; null for all
  private final @Nullable Tensor indices; // the subset as int64, shape (count); null for all
  private final RowPartition partition;
  private final Map<Integer, BlockedAttention> attentions = new HashMap<>(); // by window

  private TokenRows(FlatSequences sequences, WorkerPool workers, int @Nullable [] subset) {
    this.sequences = sequences;
    this.workers = workers;
    this.subset = subset;
    indices = subset == null ? null : Tensors.longs(subset);
    partition = RowPartition.of(workers, subset == null ? sequences.tokens() : subset.length);
  }

  /** All tokens. */
  static TokenRows all(FlatSequences sequences, WorkerPool workers) {
    return new TokenRows(sequences, workers, null);
  }

  /** The tokens of {@link FlatSequences#predicting}. */
  static TokenRows predicting(FlatSequences sequences, WorkerPool workers) {
    return new TokenRows(sequences, workers, sequences.predicting());
  }

  /** Which thread has which rows. */
  RowPartition partition() {
    return partition;
  }

  /** Number of tokens. */
  int count() {
    return partition.count();
  }

  /** Whether these are all tokens of the batch. */
  boolean areAll() {
    return subset == null;
  }

  /** Runs the body on each thread that has rows. */
  void runOnEach(IntConsumer body) {
    workers.runOnEach(
        thread -> {
          if (partition.has(thread)) {
            body.accept(thread);
          }
        });
  }

  /**
   * A thread's rows of a tensor of all tokens: a view if these are all tokens, else a copy.
   *
   * @param dim the dimension of the tokens
   */
  Tensor select(Tensor all, int dim, int thread) {
    return areAll() ? partition.of(all, dim, thread) : all.index_select(dim, indices(thread));
  }

  /** Writes a thread's rows to where {@link #select} reads them. */
  void put(Tensor all, int dim, int thread, Tensor values) {
    if (areAll()) {
      select(all, dim, thread).copy_(values);
    } else {
      all.index_copy_(dim, indices(thread), values);
    }
  }

  /** A thread's rows of a tensor of the subset, a view. */
  Tensor view(Tensor rows, int thread) {
    return partition.of(rows, 0, thread);
  }

  /**
   * Dropout masks of a thread's rows. A row's mask depends on its token, not on its place in the
   * subset.
   */
  @Nullable DropoutMasks dropout(OptionalLong seed, int thread) {
    if (seed.isEmpty()) {
      return null;
    }
    IntStream range = IntStream.range(partition.from(thread), partition.from(thread + 1));
    IntStream tokens = subset == null ? range : range.map(i -> subset[i]);
    return DropoutMasks.of(seed.getAsLong(), tokens.toArray());
  }

  private Tensor indices() {
    return Objects.requireNonNull(indices, "only a subset has indices");
  }

  private Tensor indices(int thread) {
    return view(indices(), thread);
  }

  /** Copies the subset's rows out of a tensor of all tokens. */
  Tensor gather(Tensor all) {
    return all.index_select(0, indices());
  }

  /** The inverse of {@link #gather}: a tensor of all tokens, zero outside the subset. */
  Tensor scatter(Tensor rows) {
    return Tensors.zerosLike(rows, sequences.tokens(), rows.size(1))
        .index_copy_(0, indices(), rows);
  }

  /**
   * Attention that computes the output of these tokens.
   *
   * @param query shape (kvHeads, tokens, repeats, headDim)
   */
  BlockedAttention attention(int window, Tensor query) {
    return attentions.computeIfAbsent(
        window,
        key ->
            BlockedAttention.of(
                sequences,
                token -> subset == null || Arrays.binarySearch(subset, token) >= 0,
                window,
                (int) query.size(0),
                (int) query.size(2),
                query,
                workers.size()));
  }
}
