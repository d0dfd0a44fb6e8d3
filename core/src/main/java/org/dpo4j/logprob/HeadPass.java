package org.dpo4j.logprob;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.DropoutMasks;
import org.dpo4j.model.Linear;
import org.dpo4j.model.Matrix;
import org.dpo4j.model.Node;
import org.dpo4j.model.Product;
import org.dpo4j.model.Tape;
import org.dpo4j.model.WeightGradients;
import org.dpo4j.torch.RowPartition;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.torch.WorkerPool;
import org.jspecify.annotations.Nullable;

/**
 * From the states after the last block to the log-probabilities of the targets, and back. Each
 * thread takes a part of the vocabulary, in tiles of logits that stay in its cache while their
 * maxima and sums are taken; from these of all tiles come the softmax's normalizers. What is kept
 * are exponentials, e, that lack a factor for each row and tile; where they take too much memory,
 * nothing is, and logits are computed again. On the way back they become the tile's share of the
 * softmax, p, where they stand, and go into two products. With g the gradient by a row's
 * log-probability, that of its logits is g (onehot - p): g is left out of p and put on the rows of
 * the other factor, and the one-hot part is added by itself.
 */
final class HeadPass implements AutoCloseable {

  /**
   * What is known of each tile and row, shape (tiles, scored) each. With x the logits of a row in a
   * tile, and e = exp(x - largest):
   *
   * @param largest x
   * @param sum of e
   * @param weighted sum of e x
   * @param norm root of the sum of squares of e
   * @param total sum of x
   */
  private record TileStatistics(
      Tensor largest, Tensor sum, Tensor weighted, Tensor norm, Tensor total) {
    static TileStatistics of(Tensor like, int tiles, int scored) {
      Tensor all = Tensors.zerosLike(like, 5, tiles, scored);
      return new TileStatistics(
          all.select(0, 0), all.select(0, 1), all.select(0, 2), all.select(0, 3), all.select(0, 4));
    }
  }

  /**
   * How much memory is used for what.
   *
   * @param keptBytes where exponentials of all logits take more, logits are computed again
   * @param tile elements of a tile: with a copy of it and its part of the matrix it stays in cache
   * @param leastWidth tokens of a tile, however many rows there are
   * @param mostWidth likewise
   */
  record Sizes(long keptBytes, int tile, int leastWidth, int mostWidth) {
    static final Sizes DEFAULT = new Sizes(LogProbEngine.KEPT_BYTES, 1 << 18, 256, 1024);

    int width(int scored) {
      return Math.min(mostWidth, Math.max(leastWidth, tile / Math.max(1, scored)));
    }
  }

  private final CausalLm model;
  private final Linear head;
  private final WorkerPool workers = WorkerPool.get();
  private final Tensor predictors; // (scored), as rows of the states
  private final int scored;
  private final int[] targetIds; // (scored)
  private final Tensor targets; // (scored)
  private final int vocabulary;
  private final int width; // of a tile
  private final RowPartition rows; // the scored ones
  private final boolean statistics;
  private final TensorScope scope = TensorScope.open(); // of this pass, of no thread
  private final WorkerPool.@Nullable Block memory; // of what is kept
  private final @Nullable Tensor kept; // e of all tiles, one behind the other
  private final List<Tape> tapes = new ArrayList<>(); // by thread that has rows, with a way back
  private final Node[] leaves;
  private final List<List<Product>> products = new ArrayList<>(); // by thread that has rows
  private final List<Tensor> inputs = new ArrayList<>(); // of the products, (scored, in)
  private @Nullable Tensor[][] expected = {}; // sums of p W, by product and thread
  private final Tensor normalizers; // (scored): the logarithm of the sum of exp x
  private final Tensor shares; // (tiles, scored): p of a tile's largest logit, p / e for all of it
  private final Tensor logProbs; // (scored)
  private final List<Tensor> measured; // (scored) each: entropy, mean logit, correct, alignment

  /**
   * Goes forward.
   *
   * @param states after the last block, shape (predicting, hidden)
   * @param training whether there will be a way back
   * @param statistics whether more is wanted than the log-probabilities
   * @param sizes what is kept, and how wide tiles are
   * @param dropoutSeed seed of the dropout masks; empty for a pass without dropout
   */
  HeadPass(
      CausalLm model,
      FlatSequences sequences,
      Tensor states,
      boolean training,
      boolean statistics,
      Sizes sizes,
      OptionalLong dropoutSeed) {
    this.model = model;
    this.statistics = statistics;
    head = model.head();
    targetIds = sequences.targets();
    scored = targetIds.length;
    vocabulary = model.vocabSize();
    width = sizes.width(scored);
    rows = RowPartition.of(workers, scored);
    leaves = new Node[rows.threads()];
    long count = (long) scored * vocabulary;
    try {
      memory =
          training && 4 * count <= sizes.keptBytes()
              ? workers.block(Tensors.elementType(states), count)
              : null;
      kept = memory == null ? null : memory.tensor();
      targets = Tensors.longs(targetIds);
      int[] predicting = sequences.predicting();
      predictors =
          Tensors.longs(
              Arrays.stream(sequences.predictors())
                  .map(token -> Arrays.binarySearch(predicting, token))
                  .toArray());
      for (int thread = 0; thread < rows.threads(); thread++) {
        products.add(List.of());
        if (training) {
          tapes.add(
              new Tape(
                  dropoutSeed.isPresent()
                      ? DropoutMasks.of(dropoutSeed.getAsLong(), scored)
                          .rows(rows.from(thread), rows.from(thread + 1))
                      : null));
        }
      }
      workers.each(thread -> project(thread, states));
      TileStatistics figures = TileStatistics.of(states, tiles(), scored);
      Tensor found = Tensors.zerosLike(states, scored);
      workers.each(thread -> eachTile(thread, tile -> measure(tile, figures, found)));
      normalizers = figures.largest().add(figures.sum().log()).logsumexp(new long[] {0}, false);
      shares = figures.largest().sub(normalizers).exp_();
      logProbs = found.sub(normalizers);
      measured = statistics ? combined(figures, found) : List.of();
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    } finally {
      scope.leave();
    }
  }

  /** Log-probabilities of the targets, in nats, shape (scored). */
  Tensor logProbs() {
    return logProbs;
  }

  /** Sums over the targets of each sequence; zero where no statistics were asked for. */
  TokenStatistics statistics(int[] sequenceOf, int sequences) {
    TokenStatistics sums = TokenStatistics.zeros(sequences);
    if (statistics && scored > 0) {
      double[] values = Tensors.toDoubles(Tensors.cat(measured, 0));
      for (int i = 0; i < scored; i++) {
        int sequence = sequenceOf[i];
        sums.tokens()[sequence]++;
        sums.entropy()[sequence] += values[i];
        sums.logits()[sequence] += values[scored + i];
        sums.correct()[sequence] += values[2 * scored + i];
        sums.alignment()[sequence] += values[3 * scored + i];
      }
    }
    return sums;
  }

  // --- rows: what stands before the products --------------------------------------------------

  private Tensor rows(Tensor all, int thread) {
    return rows.of(all, 0, thread);
  }

  private void project(int thread, Tensor states) {
    if (!rows.has(thread)) {
      return;
    }
    Tensor own = states.index_select(0, rows(predictors, thread));
    Node leaf = Tape.leaf(tapes.isEmpty() ? null : tapes.get(thread), own, false);
    List<Product> parts = head.products(model.finalNorm(leaf));
    place(parts);
    for (int i = 0; i < parts.size(); i++) {
      rows(inputs.get(i), thread).copy_(parts.get(i).input().value());
    }
    leaves[thread] = leaf;
    products.set(thread, parts);
    if (!tapes.isEmpty()) {
      tapes.get(thread).forwardDone();
    }
  }

  /** The first thread that knows the shapes makes room for all rows. */
  private synchronized void place(List<Product> parts) {
    if (inputs.isEmpty()) {
      for (Product part : parts) {
        Tensor like = part.input().value();
        inputs.add(Tensors.ownedLike(like, scored, like.size(1)));
      }
    }
  }

  private Matrix matrix(int product) {
    return products.get(0).get(product).matrix();
  }

  // --- tiles ----------------------------------------------------------------------------------

  /** All rows of {@code count} tokens from {@code from} on. */
  private record Tile(int number, int from, int count) {
    /** Of (tiles, ...) what belongs to this one. */
    Tensor of(Tensor tiles) {
      return tiles.select(0, number);
    }

    boolean has(int token) {
      return token >= from && token < from + count;
    }
  }

  private int firstToken(int thread) {
    return (int) ((long) vocabulary * thread / workers.size());
  }

  private int tiles(int thread) {
    return (firstToken(thread + 1) - firstToken(thread) + width - 1) / width;
  }

  private int tiles() {
    int sum = 0;
    for (int thread = 0; thread < workers.size(); thread++) {
      sum += tiles(thread);
    }
    return sum;
  }

  /** Runs the work on each tile of a thread. */
  private void eachTile(int thread, Consumer<Tile> work) {
    if (scored == 0) {
      return;
    }
    int number = 0;
    for (int before = 0; before < thread; before++) {
      number += tiles(before);
    }
    int end = firstToken(thread + 1);
    for (int from = firstToken(thread); from < end; from += width) {
      int count = Math.min(width, end - from);
      try (TensorScope scope = TensorScope.open()) {
        work.accept(new Tile(number++, from, count));
      }
    }
  }

  /** Logits, shape (scored, count), in memory of their own: the products are quickest so. */
  private Tensor logits(Tile tile) {
    @Nullable Tensor bias =
        head.bias() == null ? null : head.bias().narrow(0, tile.from(), tile.count());
    Tensor sum = part(0, tile).times(inputs.get(0), true, bias);
    for (int i = 1; i < inputs.size(); i++) {
      sum = part(i, tile).plusTimes(sum, inputs.get(i), true);
    }
    return sum;
  }

  private Matrix part(int product, Tile tile) {
    return matrix(product).rows(tile.from(), tile.count());
  }

  /** Where a tile's exponentials are kept, shape (scored, count). */
  private Tensor place(Tensor kept, Tile tile) {
    return kept.narrow(0, (long) scored * tile.from(), (long) scored * tile.count())
        .view(scored, tile.count());
  }

  private void measure(Tile tile, TileStatistics figures, Tensor found) {
    Tensor x = logits(tile);
    Tensor largest = tile.of(figures.largest());
    torch.amax_out(largest, x, new long[] {1}, false);
    Tensor column = largest.unsqueeze(1);
    Tensor e = kept == null ? x.sub(column) : torch.sub_out(place(kept, tile), x, column);
    sum(e.exp_(), tile.of(figures.sum()));
    int[] hits = IntStream.range(0, scored).filter(row -> tile.has(targetIds[row])).toArray();
    if (hits.length > 0) {
      long[] places =
          Arrays.stream(hits)
              .mapToLong(row -> (long) row * tile.count() + targetIds[row] - tile.from())
              .toArray();
      found.index_copy_(0, Tensors.longs(hits), x.view(-1).index_select(0, Tensors.longs(places)));
    }
    if (statistics) {
      tile.of(figures.norm())
          .copy_(e.norm(new ScalarOptional(Tensors.scalar(2)), new long[] {1}, false));
      sum(x, tile.of(figures.total()));
      sum(x.mul_(e), tile.of(figures.weighted()));
    }
  }

  private static void sum(Tensor rows, Tensor into) {
    torch.sum_out(into, rows, new long[] {1}, false, Tensors.noType());
  }

  private List<Tensor> combined(TileStatistics figures, Tensor found) {
    // H = log Z - sum p x
    Tensor entropy = normalizers.sub(figures.weighted().mul(shares).sum(0));
    Tensor mean = figures.total().sum(0).div_(Tensors.scalar(vocabulary));
    Tensor best = figures.largest().amax(new long[] {0}, false);
    Tensor correct = found.ge(best).to(found.scalar_type().intern());
    Tensor squares = figures.norm().mul(shares).square_().sum(0);
    return List.of(entropy, mean, correct, logProbs.sub(squares.log_()));
  }

  // --- the way back ---------------------------------------------------------------------------

  /**
   * Adds to the gradients of the weights from the head to the last norm, and gives that of the rows
   * of the states.
   *
   * @param byLogProbs gradient of the loss by {@link #logProbs}
   * @param byStates is added to, shape as that of the states
   */
  void backward(Tensor byLogProbs, Tensor byStates) {
    if (scored == 0) {
      return;
    }
    Tensor factors = byLogProbs.unsqueeze(1); // g, (scored, 1)
    Tensor minus = normalizers.unsqueeze(1);
    List<Tensor> scaled = inputs.stream().map(input -> input.mul(factors.neg())).toList();
    expected = new Tensor[inputs.size()][workers.size()];
    workers.each(
        thread ->
            eachTile(
                thread,
                tile -> {
                  Tensor p =
                      kept == null
                          ? logits(tile).sub_(minus).exp_()
                          : place(kept, tile).mul_(tile.of(shares).unsqueeze(1));
                  for (int i = 0; i < inputs.size(); i++) {
                    addTimes(expected[i], thread, part(i, tile), p);
                    if (matrix(i).trained()) {
                      matrix(i).addGradient(tile.from(), tile.count(), p, scaled.get(i));
                    }
                  }
                  addToBias(tile, p, byLogProbs);
                }));
    List<Tensor> byInputs = new ArrayList<>();
    for (int i = 0; i < inputs.size(); i++) {
      Tensor values = matrix(i).values();
      if (matrix(i).trained()) {
        values.grad().index_add_(0, targets, inputs.get(i).mul(factors));
      }
      Tensor byInput = values.index_select(0, targets);
      for (Tensor sum : expected[i]) {
        if (sum != null) { // a thread without tokens has none
          byInput.sub_(sum);
        }
      }
      byInputs.add(byInput.mul_(factors));
    }
    if (head.bias() != null && head.bias().requires_grad()) {
      head.bias().grad().index_add_(0, targets, byLogProbs);
    }
    Tensor byRows = Tensors.emptyLike(byStates, scored, byStates.size(1));
    workers.each(
        thread -> {
          if (rows.has(thread)) {
            List<Node> outputs = products.get(thread).stream().map(Product::input).toList();
            List<Tensor> gradients =
                byInputs.stream().map(gradient -> rows(gradient, thread)).toList();
            tapes.get(thread).backward(outputs, gradients);
            rows(byRows, thread).copy_(leaves[thread].gradient());
          }
        });
    WeightGradients.add(workers, tapes);
    closeTapes();
    byStates.index_add_(0, predictors, byRows);
  }

  /** Adds p M to a sum that outlives the tile. */
  private static void addTimes(@Nullable Tensor[] sums, int place, Matrix matrix, Tensor p) {
    Tensor before = sums[place];
    Tensor sum = before == null ? matrix.times(p, false) : matrix.plusTimes(before, p, false);
    sums[place] = TensorScope.hold(sum);
    if (before != null) {
      Tensors.free(before);
    }
  }

  private void addToBias(Tile tile, Tensor p, Tensor byLogProbs) {
    if (head.bias() != null && head.bias().requires_grad()) {
      head.bias().grad().narrow(0, tile.from(), tile.count()).sub_(p.t().mv(byLogProbs));
    }
  }

  private void closeTapes() {
    tapes.forEach(Tape::close);
    tapes.clear();
  }

  @Override
  public void close() {
    closeTapes();
    inputs.forEach(Tensors::free);
    inputs.clear();
    Arrays.stream(expected).flatMap(Arrays::stream).filter(Objects::nonNull).forEach(Tensors::free);
    expected = new Tensor[0][];
    if (memory != null) {
      memory.close();
    }
    scope.close();
  }
}
