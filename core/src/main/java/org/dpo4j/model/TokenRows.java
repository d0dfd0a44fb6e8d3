package org.dpo4j.model;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.torch.RowPartition;
import org.dpo4j.torch.Tensors;
import org.dpo4j.torch.WorkerPool;
import org.jspecify.annotations.Nullable;

/**
 * The rows of some of a flat batch's tokens, shared out among threads. In tensors with a row for
 * every token they are found by index, in tensors with a row for each of these they are next to
 * each other.
 */
final class TokenRows {

  private final FlatSequences sequences;
  private final WorkerPool workers;
  private final int @Nullable [] chosen; // null for every token
  private final @Nullable Tensor indices; // int64, (count); null for every token
  private final RowPartition shares;
  private final Map<Integer, BlockedAttention> attentions = new HashMap<>(); // by window

  private TokenRows(FlatSequences sequences, WorkerPool workers, int @Nullable [] chosen) {
    this.sequences = sequences;
    this.workers = workers;
    this.chosen = chosen;
    indices = chosen == null ? null : Tensors.longs(chosen);
    shares = RowPartition.of(workers, chosen == null ? sequences.tokens() : chosen.length);
  }

  /** The rows of all tokens. Tensors belong to the scope of the caller, here and below. */
  static TokenRows every(FlatSequences sequences, WorkerPool workers) {
    return new TokenRows(sequences, workers, null);
  }

  /** The rows of {@link FlatSequences#predicting}. */
  static TokenRows predicting(FlatSequences sequences, WorkerPool workers) {
    return new TokenRows(sequences, workers, sequences.predicting());
  }

  /** Who has which of these. */
  RowPartition shares() {
    return shares;
  }

  /** Whether these are all tokens, so that {@link #of} gives a view. */
  boolean areAll() {
    return chosen == null;
  }

  /** Of a tensor with a place for every token in one dimension those of a thread. */
  Tensor of(Tensor all, int dim, int thread) {
    return areAll() ? shares.of(all, dim, thread) : all.index_select(dim, indices(thread));
  }

  /** Puts values where {@link #of} takes them from. */
  void put(Tensor all, int dim, int thread, Tensor values) {
    if (areAll()) {
      of(all, dim, thread).copy_(values);
    } else {
      all.index_copy_(dim, indices(thread), values);
    }
  }

  /** Of a tensor with a row for each of these those of a thread, a view. */
  Tensor own(Tensor rows, int thread) {
    return shares.of(rows, 0, thread);
  }

  /**
   * Dropout masks of a thread's rows. A row's mask depends on its token, not on its place in this
   * subset.
   */
  @Nullable DropoutMasks dropout(OptionalLong seed, int thread) {
    if (seed.isEmpty()) {
      return null;
    }
    IntStream range = IntStream.range(shares.from(thread), shares.from(thread + 1));
    IntStream tokens = chosen == null ? range : range.map(i -> chosen[i]);
    return DropoutMasks.of(seed.getAsLong(), tokens.toArray());
  }

  private Tensor indices() {
    return Objects.requireNonNull(indices, "all tokens' rows need no index");
  }

  private Tensor indices(int thread) {
    return own(indices(), thread);
  }

  /** Of a tensor with a row for every token all of these, which are not all, as a copy. */
  Tensor gathered(Tensor all) {
    return all.index_select(0, indices());
  }

  /** Rows for every token: those of these tokens, which are not all, and zeros for the others. */
  Tensor scattered(Tensor rows) {
    return Tensors.zerosLike(rows, sequences.tokens(), rows.size(1))
        .index_copy_(0, indices(), rows);
  }

  /** Attention that computes what these need. */
  BlockedAttention attention(int window, Tensor query) {
    return attentions.computeIfAbsent(
        window,
        key ->
            BlockedAttention.of(
                sequences,
                token -> chosen == null || Arrays.binarySearch(chosen, token) >= 0,
                window,
                (int) query.size(0),
                (int) query.size(2),
                query,
                workers.size()));
  }
}
