package org.dpo4j.model;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.torch.Tensors;

/**
 * Causal attention inside each sequence of a flat batch, cut into pieces that threads share: a
 * token sees its prompt and what comes before it in its own completion, in a layer with a window
 * only so far back. Queries go in blocks, each with the keys that its last row sees and no others,
 * so that little of what is computed is masked; the query heads that share a key head are one
 * matrix. The softmax is computed once more on the way back and never kept.
 */
final class BlockedAttention {

  /** Rows of a block: fewer waste less on masked scores, more make better matrix products. */
  private static final int BLOCK = 128;

  /**
   * Queries of one completion, or of the prompt, next to each other, and what they see: the tokens
   * of the prompt, then tokens of their own completion.
   *
   * @param start of the queries
   * @param rows how many they are
   * @param promptStart of the prompt's keys
   * @param promptKeys how many they are
   * @param ownStart of the keys behind them; those of the prompt end there or further ahead
   * @param ownKeys how many they are; the queries are the last of all keys
   */
  private record Block(
      int start, int rows, int promptStart, int promptKeys, int ownStart, int ownKeys) {

    int keys() {
      return promptKeys + ownKeys;
    }

    /** Keys or values (keys, headDim) from those of all tokens (tokens, headDim). */
    Tensor seen(Tensor all) {
      if (promptKeys == 0) {
        return all.narrow(0, ownStart, ownKeys);
      }
      if (ownKeys == 0 || ownStart == promptStart + promptKeys) {
        return all.narrow(0, promptStart, keys());
      }
      return Tensors.cat(
          List.of(all.narrow(0, promptStart, promptKeys), all.narrow(0, ownStart, ownKeys)), 0);
    }

    /** Adds to the gradients of all tokens those of the keys or values that were seen. */
    void addTo(Tensor all, Tensor left, Tensor right) {
      if (promptKeys > 0) {
        all.narrow(0, promptStart, promptKeys).addmm_(left.narrow(0, 0, promptKeys), right);
      }
      if (ownKeys > 0) {
        all.narrow(0, ownStart, ownKeys).addmm_(left.narrow(0, promptKeys, ownKeys), right);
      }
    }
  }

  /** A prompt with its completions, for one key head. */
  private record Piece(int start, int tokens, List<Block> blocks, int head) {
    long cost() {
      return blocks.stream().mapToLong(block -> (long) block.rows() * block.keys()).sum();
    }
  }

  private final AttentionLayer layer;
  private final long repeats; // query heads of a key head
  private final List<List<Piece>> shares; // by thread

  private BlockedAttention(AttentionLayer layer, long repeats, List<List<Piece>> shares) {
    this.layer = layer;
    this.repeats = repeats;
    this.shares = shares;
  }

  /**
   * Shares the work out.
   *
   * @param heads query heads
   * @param keyHeads key and value heads; divides heads
   */
  static BlockedAttention of(
      FlatSequences sequences, AttentionLayer layer, long heads, long keyHeads, int threads) {
    List<Piece> pieces = new ArrayList<>();
    for (FlatSequences.Group group : sequences.groups()) {
      List<Block> blocks = blocks(group);
      int tokens =
          group.promptTokens()
              + group.completionTokens().stream().mapToInt(Integer::intValue).sum();
      for (int head = 0; head < keyHeads; head++) {
        pieces.add(new Piece(group.start(), tokens, blocks, head));
      }
    }
    // The largest first, each to the thread with the least so far.
    pieces.sort(Comparator.comparingLong(Piece::cost).reversed());
    List<List<Piece>> shares =
        IntStream.range(0, threads).mapToObj(i -> (List<Piece>) new ArrayList<Piece>()).toList();
    long[] costs = new long[threads];
    for (Piece piece : pieces) {
      int least = 0;
      for (int i = 1; i < threads; i++) {
        least = costs[i] < costs[least] ? i : least;
      }
      costs[least] += piece.cost();
      shares.get(least).add(piece);
    }
    return new BlockedAttention(layer, heads / keyHeads, shares);
  }

  private static List<Block> blocks(FlatSequences.Group group) {
    List<Block> blocks = new ArrayList<>();
    int start = group.start();
    int prompt = group.promptTokens();
    for (int from = 0; from < prompt; from += BLOCK) {
      int to = Math.min(from + BLOCK, prompt);
      blocks.add(new Block(start + from, to - from, start, to, start + to, 0));
    }
    int own = start + prompt;
    for (int tokens : group.completionTokens()) {
      for (int from = 0; from < tokens; from += BLOCK) {
        int to = Math.min(from + BLOCK, tokens);
        blocks.add(new Block(own + from, to - from, start, prompt, own, to));
      }
      own += tokens;
    }
    return blocks;
  }

  /**
   * The share of one thread, on the way forward.
   *
   * @param query shape (tokens, heads, headDim)
   * @param key shape (tokens, kvHeads, headDim)
   * @param value likewise
   * @param attended is filled, shape (tokens, heads, headDim)
   */
  void forward(int thread, Tensor query, Tensor key, Tensor value, Tensor attended) {
    for (Piece piece : shares.get(thread)) {
      Tensor keys = key.select(1, piece.head());
      Tensor values = value.select(1, piece.head());
      for (Block block : piece.blocks()) {
        Tensor weights = weights(block, queries(query, piece, block), block.seen(keys));
        Tensor output = weights.mm(block.seen(values)); // (repeats x rows, headDim)
        rows(attended, piece, block).copy_(folded(output, block));
      }
    }
  }

  /**
   * The share of one thread, on the way back.
   *
   * @param attended what {@link #forward} filled
   * @param gradient of the loss by it
   * @param queryGradient is filled, as are the next two
   */
  void backward(
      int thread,
      Tensor query,
      Tensor key,
      Tensor value,
      Tensor attended,
      Tensor gradient,
      Tensor queryGradient,
      Tensor keyGradient,
      Tensor valueGradient) {
    for (Piece piece : shares.get(thread)) {
      Tensor keys = key.select(1, piece.head());
      Tensor values = value.select(1, piece.head());
      Tensor keysGradient = keyGradient.select(1, piece.head());
      Tensor valuesGradient = valueGradient.select(1, piece.head());
      keysGradient.narrow(0, piece.start(), piece.tokens()).zero_();
      valuesGradient.narrow(0, piece.start(), piece.tokens()).zero_();
      for (Block block : piece.blocks()) {
        Tensor queries = queries(query, piece, block);
        Tensor seen = block.seen(keys);
        Tensor weights = weights(block, queries, seen);
        Tensor out = unfolded(rows(gradient, piece, block));
        block.addTo(valuesGradient, weights.t(), out);
        // dS = P (dP - sum(dP P)), and sum(dP P) = sum(dO O)
        Tensor sums =
            out.mul(unfolded(rows(attended, piece, block)))
                .sum(new long[] {-1}, true, Tensors.noType());
        Tensor scores = out.mm(block.seen(values).t()).sub_(sums).mul_(weights);
        block.addTo(keysGradient, scores.t(), queries); // queries carry the scale
        rows(queryGradient, piece, block)
            .copy_(folded(scores.mm(seen).mul_(Tensors.scalar(layer.scale())), block));
      }
    }
  }

  /** Softmax of the scores, shape (repeats x rows, keys). */
  private Tensor weights(Block block, Tensor queries, Tensor keys) {
    Tensor scores = queries.mm(keys.t());
    Tensor heads = scores.view(repeats, block.rows(), block.keys());
    if (layer.window() < block.keys()) {
      heads.add_(CausalMask.of(block.rows(), block.keys(), layer.window(), scores));
    } else if (block.rows() > 1) {
      heads
          .narrow(2, (long) block.keys() - block.rows(), block.rows())
          .add_(CausalMask.of(block.rows(), block.rows(), AttentionLayer.ALL, scores));
    }
    return torch.softmax(scores, -1);
  }

  /** Scaled queries, shape (repeats x rows, headDim). */
  private Tensor queries(Tensor query, Piece piece, Block block) {
    return unfolded(rows(query, piece, block)).mul_(Tensors.scalar(layer.scale()));
  }

  /** A view of shape (rows, repeats, headDim). */
  private Tensor rows(Tensor all, Piece piece, Block block) {
    return all.narrow(0, block.start(), block.rows()).narrow(1, piece.head() * repeats, repeats);
  }

  /** (rows, repeats, headDim) to a copy (repeats x rows, headDim). */
  private static Tensor unfolded(Tensor rows) {
    return rows.transpose(0, 1).clone(Tensors.contiguous()).view(-1, rows.size(2));
  }

  /** (repeats x rows, headDim) to a view (rows, repeats, headDim). */
  private Tensor folded(Tensor heads, Block block) {
    return heads.view(repeats, block.rows(), -1).transpose(0, 1);
  }
}
