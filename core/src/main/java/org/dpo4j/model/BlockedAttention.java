package org.dpo4j.model;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.torch.Softmax;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.torch.WorkerPool;

/**
 * Causal attention inside each sequence of a flat batch, cut into pieces that threads share: a
 * token sees its prompt and what comes before it in its own completion, in a layer with a window
 * only so far back. Queries go in blocks, each with the keys that its last row sees and no others,
 * so that little of what is computed is masked; the query heads that share a key head are one
 * matrix. The softmax is computed once more on the way back and never kept.
 */
final class BlockedAttention {

  /** Rows of a block: fewer waste less on masked scores, more make better matrix products. */
  static final int BLOCK = 128;

  /**
   * Keys of a block are a multiple of it where there are tokens to fill up with, which the mask
   * hides: a row of scores that ends within a vector takes half as long again in the softmax, and a
   * fifth in the product (LOG.md).
   */
  private static final int LANES = 16;

  /** Scores of a block, of all heads that are computed together: they stay in a cache. */
  private static final long SCORES = 1 << 18;

  /**
   * What attention works on, or the gradients of it.
   *
   * @param query shape (kvHeads, tokens, repeats, headDim): the query heads that share a key head
   *     lie next to each other, so that those of successive tokens are a matrix as they are
   * @param key shape (kvHeads, tokens, headDim)
   * @param value likewise
   */
  record Heads(Tensor query, Tensor key, Tensor value) {

    /** Those of some key heads, queries with their repeats as rows: three dimensions each. */
    Heads of(Span heads) {
      return new Heads(rows(query, heads), heads.of(key, 0), heads.of(value, 0));
    }

    /** Of (kvHeads, tokens, repeats, width) some key heads as (heads, tokens x repeats, width). */
    static Tensor rows(Tensor all, Span heads) {
      return heads.of(all, 0).flatten(1, 2);
    }
  }

  /** Tokens, or heads, next to each other. */
  record Span(int start, int count) {
    Tensor of(Tensor all, int dim) {
      return all.narrow(dim, start, count);
    }

    int end() {
      return start + count;
    }

    static int count(List<Span> spans) {
      return spans.stream().mapToInt(Span::count).sum();
    }
  }

  /**
   * Queries of one completion, or of the prompt, next to each other, and what they see.
   *
   * @param start of the queries
   * @param rows how many they are
   * @param seen tokens of the prompt, then of their own completion up to the last query
   * @param read the same, with tokens behind them that fill up and are hidden
   * @param mask of the last keys, which are as many as it has columns; shape (rows, 1, columns)
   */
  private record Block(int start, int rows, List<Span> seen, List<Span> read, Tensor mask) {

    long scores() {
      return (long) rows * Span.count(read);
    }

    /** Keys or values (heads, keys, headDim) from those of all tokens (heads, tokens, headDim). */
    Tensor read(Tensor all) {
      return Tensors.cat(read.stream().map(span -> span.of(all, 1)).toList(), 1);
    }

    /** Adds factor x left^T right to the gradients of the keys or values that were seen. */
    void addTo(Tensor all, Tensor left, Tensor right, double factor) {
      int from = 0;
      for (Span span : seen) {
        Tensor part = left.size(2) == span.count() ? left : left.narrow(2, from, span.count());
        span.of(all, 1)
            .baddbmm_(part.transpose(1, 2), right, Tensors.scalar(1), Tensors.scalar(factor));
        from += span.count();
      }
    }
  }

  /** A prompt with its completions, for some key heads. */
  private record Piece(int start, int tokens, List<Block> blocks, Span heads) {
    /** Whether every token is among the queries. */
    boolean complete() {
      return blocks.stream().mapToInt(Block::rows).sum() == tokens;
    }

    long cost() {
      return heads.count() * blocks.stream().mapToLong(Block::scores).sum();
    }
  }

  private final int repeats; // query heads of a key head
  private final List<Piece> pieces; // the dearest first

  private BlockedAttention(int repeats, List<Piece> pieces) {
    this.repeats = repeats;
    this.pieces = pieces;
  }

  /**
   * Cuts the work. Masks belong to the scope of the caller.
   *
   * @param wanted whether a token's output is needed; that of others is not computed, or computed
   *     all the same
   * @param window of the layers, as in {@link AttentionLayer}
   * @param keyHeads key and value heads
   * @param repeats query heads of each
   * @param like gives the floating type
   */
  static BlockedAttention of(
      FlatSequences sequences,
      IntPredicate wanted,
      int window,
      int keyHeads,
      int repeats,
      Tensor like,
      int threads) {
    Masks masks = new Masks(window, sequences.tokens(), like);
    List<Piece> pieces = new ArrayList<>();
    int groups = sequences.groups().size();
    // Heads of a piece: the more, the fewer operations, as long as there are pieces for all.
    int most = Math.max(1, Math.min(keyHeads, keyHeads * groups / (2 * threads)));
    for (FlatSequences.Group group : sequences.groups()) {
      List<Block> blocks = blocks(group, wanted, masks);
      int tokens =
          group.promptTokens()
              + group.completionTokens().stream().mapToInt(Integer::intValue).sum();
      long largest = repeats * blocks.stream().mapToLong(Block::scores).max().orElse(0);
      int together = (int) Math.max(1, Math.min(most, SCORES / Math.max(1, largest)));
      for (int head = 0; head < keyHeads; head += together) {
        Span heads = new Span(head, Math.min(together, keyHeads - head));
        pieces.add(new Piece(group.start(), tokens, blocks, heads));
      }
    }
    pieces.sort(Comparator.comparingLong(Piece::cost).reversed());
    return new BlockedAttention(repeats, pieces);
  }

  private static List<Block> blocks(FlatSequences.Group group, IntPredicate wanted, Masks masks) {
    List<Block> blocks = new ArrayList<>();
    int prompt = group.promptTokens();
    Span nothing = new Span(group.start(), 0);
    addBlocks(blocks, nothing, new Span(group.start(), prompt), wanted, masks);
    int own = group.start() + prompt;
    for (int tokens : group.completionTokens()) {
      Span seen = new Span(group.start(), prompt);
      addBlocks(blocks, seen, new Span(own, tokens), wanted, masks);
      own += tokens;
    }
    return blocks;
  }

  private static void addBlocks(
      List<Block> blocks, Span prompt, Span own, IntPredicate wanted, Masks masks) {
    for (int from = 0; from < own.count(); from += BLOCK) {
      int to = Math.min(from + BLOCK, own.count());
      if (IntStream.range(own.start() + from, own.start() + to).noneMatch(wanted)) {
        continue;
      }
      List<Span> seen = new ArrayList<>();
      if (own.start() == prompt.end()) {
        seen.add(new Span(prompt.start(), prompt.count() + to));
      } else {
        if (prompt.count() > 0) {
          seen.add(prompt);
        }
        seen.add(new Span(own.start(), to));
      }
      blocks.add(masks.block(own.start() + from, to - from, seen));
    }
  }

  /** Makes blocks: fills up their keys and masks them. */
  private static final class Masks {
    private final int window;
    private final int tokens; // of all sequences
    private final Tensor causal; // (BLOCK, BLOCK + LANES): the last columns hide all

    Masks(int window, int tokens, Tensor like) {
      this.window = window;
      this.tokens = tokens;
      causal =
          Tensors.cat(
              List.of(
                  CausalMask.of(BLOCK, BLOCK, AttentionLayer.ALL, like),
                  CausalMask.hidden(BLOCK, LANES, like)),
              1);
    }

    Block block(int start, int rows, List<Span> seen) {
      int keys = Span.count(seen);
      Span last = seen.get(seen.size() - 1);
      int filling = Math.floorMod(-keys, LANES);
      if (last.end() + filling > tokens) {
        filling = 0;
      }
      List<Span> read = new ArrayList<>(seen);
      read.set(seen.size() - 1, new Span(last.start(), last.count() + filling));
      Tensor own = causal.narrow(0, 0, rows);
      Tensor mask =
          window < keys
              ? Tensors.cat(
                  List.of(CausalMask.of(rows, keys, window, causal), own.narrow(1, BLOCK, filling)),
                  1)
              : own.narrow(1, 0, rows + filling);
      return new Block(start, rows, seen, read, mask.unsqueeze(1));
    }
  }

  /**
   * The way forward, as jobs for {@link WorkerPool#share}.
   *
   * @param scale the scores are multiplied with it
   * @param attended is filled where it is wanted, shape as that of the queries
   */
  List<Runnable> forward(double scale, Heads all, Tensor attended) {
    return jobs(piece -> forward(piece, scale, all.of(piece.heads()), attended));
  }

  private void forward(Piece piece, double scale, Heads heads, Tensor attended) {
    Tensor outputs = Heads.rows(attended, piece.heads());
    for (Block block : piece.blocks()) {
      try (TensorScope scope = TensorScope.open()) {
        Tensor queries = rows(heads.query(), block);
        Tensor weights = weights(block, queries, block.read(heads.key()), scale);
        torch.bmm_out(rows(outputs, block), weights, block.read(heads.value()));
      }
    }
  }

  /**
   * The way back, as jobs for {@link WorkerPool#share}.
   *
   * @param outGradient of the loss by what was attended, shape as that of the queries; 0 where it
   *     is not wanted
   * @param gradients are filled
   */
  List<Runnable> backward(double scale, Heads all, Tensor outGradient, Heads gradients) {
    return jobs(
        piece ->
            backward(
                piece,
                scale,
                all.of(piece.heads()),
                Heads.rows(outGradient, piece.heads()),
                gradients.of(piece.heads())));
  }

  private void backward(Piece piece, double scale, Heads heads, Tensor outs, Heads into) {
    if (!piece.complete()) {
      rows(into.query(), piece.start(), piece.tokens()).zero_();
    }
    into.key().narrow(1, piece.start(), piece.tokens()).zero_();
    into.value().narrow(1, piece.start(), piece.tokens()).zero_();
    for (Block block : piece.blocks()) {
      try (TensorScope scope = TensorScope.open()) {
        Tensor queries = rows(heads.query(), block);
        Tensor keys = block.read(heads.key());
        Tensor weights = weights(block, queries, keys, scale);
        Tensor out = rows(outs, block);
        block.addTo(into.value(), weights, out, 1);
        Tensor scores = out.bmm(block.read(heads.value()).transpose(1, 2));
        Softmax.backward(scores, weights);
        block.addTo(into.key(), scores, queries, scale);
        product(rows(into.query(), block), scores, keys, scale);
      }
    }
  }

  private List<Runnable> jobs(Consumer<Piece> work) {
    return pieces.stream().map(piece -> (Runnable) () -> work.accept(piece)).toList();
  }

  /** Softmax of the scores, shape (heads, rows x repeats, keys). */
  private Tensor weights(Block block, Tensor queries, Tensor keys, double scale) {
    long heads = queries.size(0);
    long seen = keys.size(1);
    Tensor scores =
        product(
            Tensors.emptyLike(queries, heads, queries.size(1), seen),
            queries,
            keys.transpose(1, 2),
            scale);
    long masked = block.mask().size(2);
    scores
        .view(heads, block.rows(), repeats, seen)
        .narrow(3, seen - masked, masked)
        .add_(block.mask());
    return torch.softmax_out(scores, scores, -1);
  }

  /** Fills room with factor x left right, head by head. */
  private static Tensor product(Tensor room, Tensor left, Tensor right, double factor) {
    return room.baddbmm_(left, right, Tensors.scalar(0), Tensors.scalar(factor));
  }

  /** Of (heads, tokens x repeats, width) the rows of the block's queries, a view. */
  private Tensor rows(Tensor all, Block block) {
    return rows(all, block.start(), block.rows());
  }

  private Tensor rows(Tensor all, int start, int count) {
    return all.narrow(1, (long) start * repeats, (long) count * repeats);
  }
}
