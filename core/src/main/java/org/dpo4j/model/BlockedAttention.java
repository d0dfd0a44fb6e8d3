package org.dpo4j.model;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.function.ObjIntConsumer;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.torch.Softmax;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.torch.WorkerPool;
import org.jspecify.annotations.Nullable;

/**
 * Causal attention within each sequence of a flat batch, divided into jobs for a {@link
 * WorkerPool}. A token sees its prompt and the tokens before it in its completion, up to the window
 * of the layer.
 *
 * <p>Queries are processed in blocks. A block reads only the keys that its last row sees, so few of
 * the computed scores are masked. The query heads that share a key head form one matrix. The
 * backward pass recomputes the softmax; it is not saved.
 */
final class BlockedAttention {

  /**
   * Rows of a block. Smaller blocks compute fewer masked scores, larger ones make faster products.
   */
  static final int BLOCK_ROWS = 128;

  /**
   * The keys of a block are padded to a multiple of this with following tokens, if there are any,
   * that the mask hides. A row of scores that ends within a vector register makes the softmax 50 %
   * and the product 20 % slower (LOG.md).
   */
  private static final int KEY_MULTIPLE = 16;

  /** Maximum number of scores of a block over the heads of a piece: they stay in the cache. */
  private static final long MAX_SCORES = 1 << 18;

  /**
   * Queries, keys and values, or their gradients.
   *
   * @param query shape (kvHeads, tokens, repeats, headDim): the query heads that share a key head
   *     are contiguous, so the rows of successive tokens form a matrix without a copy
   * @param key shape (kvHeads, tokens, headDim)
   * @param value shape (kvHeads, tokens, headDim)
   */
  record Heads(Tensor query, Tensor key, Tensor value) {

    /**
     * Views for a range of key heads, three dimensions each; query heads of a key head are rows.
     */
    Heads of(IndexRange heads) {
      return new Heads(rows(query, heads), heads.of(key, 0), heads.of(value, 0));
    }

    /** Views (kvHeads, tokens, repeats, width) as (heads in range, tokens x repeats, width). */
    static Tensor rows(Tensor all, IndexRange heads) {
      return heads.of(all, 0).flatten(1, 2);
    }
  }

  /** Consecutive tokens or heads. */
  record IndexRange(int start, int count) {
    Tensor of(Tensor all, int dim) {
      return all.narrow(dim, start, count);
    }

    int end() {
      return start + count;
    }

    static int count(List<IndexRange> ranges) {
      return ranges.stream().mapToInt(IndexRange::count).sum();
    }
  }

  /**
   * Consecutive queries of one prompt or completion, with the keys that they see.
   *
   * @param start index of the first query token
   * @param rows number of query tokens
   * @param seen visible tokens: of the prompt, then of the completion up to the last query
   * @param read the visible tokens and the padding, which the mask hides
   * @param mask added to the scores of the last keys, shape (rows, 1, number of these keys)
   */
  private record QueryBlock(
      int start, int rows, List<IndexRange> seen, List<IndexRange> read, Tensor mask) {

    long scores() {
      return (long) rows * IndexRange.count(read);
    }

    /**
     * Copies the block's keys or values, (heads, keys, headDim), out of (heads, tokens, headDim).
     */
    Tensor read(Tensor all) {
      return Tensors.cat(read.stream().map(range -> range.of(all, 1)).toList(), 1);
    }

    /** Adds factor x left^T right to the gradients of the visible keys or values. */
    void addTo(Tensor all, Tensor left, Tensor right, double factor) {
      int from = 0;
      for (IndexRange range : seen) {
        Tensor part = left.size(2) == range.count() ? left : left.narrow(2, from, range.count());
        range
            .of(all, 1)
            .baddbmm_(part.transpose(1, 2), right, Tensors.scalar(1), Tensors.scalar(factor));
        from += range.count();
      }
    }
  }

  /** One job: a prompt with its completions, for a range of key heads. */
  private record Piece(int start, int tokens, List<QueryBlock> blocks, IndexRange heads) {
    /** Whether the blocks cover every token. */
    boolean complete() {
      return blocks.stream().mapToInt(QueryBlock::rows).sum() == tokens;
    }

    long cost() {
      return heads.count() * blocks.stream().mapToLong(QueryBlock::scores).sum();
    }
  }

  private final int repeats; // query heads per key head
  private final List<Piece> pieces; // the most expensive first

  private BlockedAttention(int repeats, List<Piece> pieces) {
    this.repeats = repeats;
    this.pieces = pieces;
  }

  /**
   * Plans the jobs of all layers with one window. The caller's scope owns the masks.
   *
   * @param needed whether a token's output is needed; other outputs may be left undefined
   * @param window of the layers, as in {@link AttentionLayer}
   * @param keyHeads number of key and value heads
   * @param repeats query heads per key head
   * @param like tensor whose type and device the masks take
   * @param threads number of threads that run the jobs
   */
  static BlockedAttention of(
      FlatSequences sequences,
      IntPredicate needed,
      int window,
      int keyHeads,
      int repeats,
      Tensor like,
      int threads) {
    Masks masks = new Masks(window, sequences.tokens(), like);
    List<Piece> pieces = new ArrayList<>();
    int groups = sequences.groups().size();
    // Heads per piece: more heads need fewer operations, but leave at least two pieces per thread.
    int most = Math.max(1, Math.min(keyHeads, keyHeads * groups / (2 * threads)));
    for (FlatSequences.Group group : sequences.groups()) {
      List<QueryBlock> blocks = blocks(group, needed, masks);
      int tokens =
          group.promptTokens()
              + group.completionTokens().stream().mapToInt(Integer::intValue).sum();
      long largest = repeats * blocks.stream().mapToLong(QueryBlock::scores).max().orElse(0);
      int together = (int) Math.max(1, Math.min(most, MAX_SCORES / Math.max(1, largest)));
      for (int head = 0; head < keyHeads; head += together) {
        IndexRange heads = new IndexRange(head, Math.min(together, keyHeads - head));
        pieces.add(new Piece(group.start(), tokens, blocks, heads));
      }
    }
    pieces.sort(Comparator.comparingLong(Piece::cost).reversed());
    return new BlockedAttention(repeats, pieces);
  }

  private static List<QueryBlock> blocks(
      FlatSequences.Group group, IntPredicate needed, Masks masks) {
    List<QueryBlock> blocks = new ArrayList<>();
    int prompt = group.promptTokens();
    IndexRange noPrompt = new IndexRange(group.start(), 0);
    addBlocks(blocks, noPrompt, new IndexRange(group.start(), prompt), needed, masks);
    int own = group.start() + prompt;
    for (int tokens : group.completionTokens()) {
      IndexRange seen = new IndexRange(group.start(), prompt);
      addBlocks(blocks, seen, new IndexRange(own, tokens), needed, masks);
      own += tokens;
    }
    return blocks;
  }

  private static void addBlocks(
      List<QueryBlock> blocks,
      IndexRange prompt,
      IndexRange own,
      IntPredicate needed,
      Masks masks) {
    for (int from = 0; from < own.count(); from += BLOCK_ROWS) {
      int to = Math.min(from + BLOCK_ROWS, own.count());
      if (IntStream.range(own.start() + from, own.start() + to).noneMatch(needed)) {
        continue;
      }
      List<IndexRange> seen = new ArrayList<>();
      if (own.start() == prompt.end()) {
        seen.add(new IndexRange(prompt.start(), prompt.count() + to));
      } else {
        if (prompt.count() > 0) {
          seen.add(prompt);
        }
        seen.add(new IndexRange(own.start(), to));
      }
      blocks.add(masks.block(own.start() + from, to - from, seen));
    }
  }

  /** Makes blocks with padded keys and their masks. */
  private static final class Masks {
    private final int window;
    private final int tokens; // of the batch
    private final Tensor causal; // (BLOCK_ROWS, BLOCK_ROWS + KEY_MULTIPLE), hides the last columns

    Masks(int window, int tokens, Tensor like) {
      this.window = window;
      this.tokens = tokens;
      causal =
          Tensors.cat(
              List.of(
                  CausalMask.of(BLOCK_ROWS, BLOCK_ROWS, AttentionLayer.ALL, like),
                  CausalMask.hidden(BLOCK_ROWS, KEY_MULTIPLE, like)),
              1);
    }

    QueryBlock block(int start, int rows, List<IndexRange> seen) {
      int keys = IndexRange.count(seen);
      IndexRange last = seen.get(seen.size() - 1);
      int padding = Math.floorMod(-keys, KEY_MULTIPLE);
      if (last.end() + padding > tokens) {
        padding = 0;
      }
      List<IndexRange> read = new ArrayList<>(seen);
      read.set(seen.size() - 1, new IndexRange(last.start(), last.count() + padding));
      Tensor own = causal.narrow(0, 0, rows);
      Tensor mask =
          window < keys
              ? Tensors.cat(
                  List.of(
                      CausalMask.of(rows, keys, window, causal),
                      own.narrow(1, BLOCK_ROWS, padding)),
                  1)
              : own.narrow(1, 0, rows + padding);
      return new QueryBlock(start, rows, seen, read, mask.unsqueeze(1));
    }
  }

  /**
   * The forward pass, as jobs for the worker pool.
   *
   * @param attended filled for the tokens that are needed; shape of the queries
   */
  List<Runnable> forward(AttentionLayer layer, Heads all, Tensor attended) {
    return jobs((piece, number) -> forward(piece, layer, all.of(piece.heads()), attended));
  }

  private void forward(Piece piece, AttentionLayer layer, Heads heads, Tensor attended) {
    Tensor outputs = Heads.rows(attended, piece.heads());
    for (QueryBlock block : piece.blocks()) {
      try (TensorScope scope = TensorScope.open()) {
        Tensor queries = rows(heads.query(), block);
        Tensor scores = scores(queries, block.read(heads.key()), layer);
        Tensor weights = weights(piece, block, scores, layer.sinks());
        torch.bmm_out(rows(outputs, block), weights, block.read(heads.value()));
      }
    }
  }

  /**
   * The backward pass, as jobs for the worker pool.
   *
   * @param outGradient gradient of the attention's output, shape of the queries; 0 for tokens that
   *     are not needed
   * @param gradients filled
   * @param bySinks gets the gradients of the sinks from each job, shape ({@link #jobs}, heads),
   *     zeros before; null if none are trained
   */
  List<Runnable> backward(
      AttentionLayer layer,
      Heads all,
      Tensor outGradient,
      Heads gradients,
      @Nullable Tensor bySinks) {
    return jobs(
        (piece, number) ->
            backward(
                piece,
                layer,
                all.of(piece.heads()),
                Heads.rows(outGradient, piece.heads()),
                gradients.of(piece.heads()),
                bySinks == null ? null : ofPiece(bySinks.select(0, number), piece)));
  }

  /** Number of jobs. */
  int jobs() {
    return pieces.size();
  }

  private void backward(
      Piece piece,
      AttentionLayer layer,
      Heads heads,
      Tensor outs,
      Heads into,
      @Nullable Tensor bySinks) {
    if (!piece.complete()) {
      rows(into.query(), piece.start(), piece.tokens()).zero_();
    }
    into.key().narrow(1, piece.start(), piece.tokens()).zero_();
    into.value().narrow(1, piece.start(), piece.tokens()).zero_();
    for (QueryBlock block : piece.blocks()) {
      try (TensorScope scope = TensorScope.open()) {
        Tensor queries = rows(heads.query(), block);
        Tensor keys = block.read(heads.key());
        Tensor scores = scores(queries, keys, layer);
        @Nullable Tensor slope = layer.cap() == 0 ? null : SoftCapping.slope(scores, layer.cap());
        Tensor weights = weights(piece, block, scores, layer.sinks());
        Tensor out = rows(outs, block);
        block.addTo(into.value(), weights, out, 1);
        Tensor gradient = out.bmm(block.read(heads.value()).transpose(1, 2));
        if (bySinks != null) {
          addGradient(bySinks, gradient, weights);
        }
        // A sink has no value, so that its part of the sum is 0.
        Softmax.backward(gradient, weights);
        if (slope != null) {
          gradient.mul_(slope);
        }
        block.addTo(into.key(), gradient, queries, layer.scale());
        product(rows(into.query(), block), gradient, keys, layer.scale());
      }
    }
  }

  private List<Runnable> jobs(ObjIntConsumer<Piece> work) {
    return IntStream.range(0, pieces.size())
        .mapToObj(number -> (Runnable) () -> work.accept(pieces.get(number), number))
        .toList();
  }

  /** The scores before the mask, shape (heads, rows x repeats, keys). */
  private static Tensor scores(Tensor queries, Tensor keys, AttentionLayer layer) {
    Tensor scores =
        product(
            Tensors.emptyLike(queries, queries.size(0), queries.size(1), keys.size(1)),
            queries,
            keys.transpose(1, 2),
            layer.scale());
    return layer.cap() == 0 ? scores : SoftCapping.apply_(scores, layer.cap());
  }

  /** The softmax of the scores, in their memory; sinks take their part of it. */
  private Tensor weights(Piece piece, QueryBlock block, Tensor scores, @Nullable Tensor sinks) {
    long heads = scores.size(0);
    long seen = scores.size(2);
    long masked = block.mask().size(2);
    scores
        .view(heads, block.rows(), repeats, seen)
        .narrow(3, seen - masked, masked)
        .add_(block.mask());
    if (sinks == null) {
      return torch.softmax_out(scores, scores, -1);
    }
    // With Z the sum of exponentials of the keys' scores, they have Z / (Z + exp(sink)) of it.
    Tensor normalizers = scores.logsumexp(new long[] {-1}, true).view(heads, -1, repeats);
    Tensor ofKeys = normalizers.sub_(ofPiece(sinks, piece).unsqueeze(1)).sigmoid_();
    return torch.softmax_out(scores, scores, -1).mul_(ofKeys.view(heads, -1, 1));
  }

  /** Of numbers of all query heads those of a piece, a view of shape (its key heads, repeats). */
  private Tensor ofPiece(Tensor ofHeads, Piece piece) {
    return piece.heads().of(ofHeads.view(-1, repeats), 0);
  }

  /**
   * Adds the gradients of sinks: with p a sink's part of the softmax, -p times the sum of weights
   * times their gradients.
   *
   * @param bySinks shape (heads, repeats)
   * @param gradient with respect to the weights, shape (heads, rows x repeats, keys)
   */
  private void addGradient(Tensor bySinks, Tensor gradient, Tensor weights) {
    long[] keys = {-1};
    Tensor parts = weights.sum(keys, false, Tensors.noType()).neg_().add_(Tensors.scalar(1));
    Tensor sums = gradient.mul(weights).sum(keys, false, Tensors.noType());
    bySinks.sub_(
        parts
            .mul_(sums)
            .view(weights.size(0), -1, repeats)
            .sum(new long[] {1}, false, Tensors.noType()));
  }

  /** Sets {@code out} to factor x left right, for each head. */
  private static Tensor product(Tensor out, Tensor left, Tensor right, double factor) {
    return out.baddbmm_(left, right, Tensors.scalar(0), Tensors.scalar(factor));
  }

  /** A view of the block's query rows in (heads, tokens x repeats, width). */
  private Tensor rows(Tensor all, QueryBlock block) {
    return rows(all, block.start(), block.rows());
  }

  private Tensor rows(Tensor all, int start, int count) {
    return all.narrow(1, (long) start * repeats, (long) count * repeats);
  }
}
