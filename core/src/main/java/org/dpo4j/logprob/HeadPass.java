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
import org.dpo4j.model.SoftCapping;
import org.dpo4j.model.Tape;
import org.dpo4j.model.WeightGradients;
import org.dpo4j.torch.RowPartition;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.torch.WorkerPool;
import org.jspecify.annotations.Nullable;

/**
 * The forward and backward pass of the head: from the states after the last block to the
 * log-probabilities of the targets. Each thread computes a part of the vocabulary, in tiles of
 * logits that stay in its cache while their maxima and sums are taken; the normalizers of the
 * softmax are combined from those of all tiles.
 *
 * <p>With g the gradient with respect to a row's log-probability, that with respect to its logits
 * is g (onehot - p), where p is the softmax. The product with g is applied to the other factor,
 * which is smaller than p, and the one-hot part, one row of the matrix for each target, is added
 * separately. {@linkplain SoftCapping Soft-capped} logits multiply both parts by their slope.
 *
 * <p>A training pass over a trained head keeps e = exp(x - reference) of each tile, or recomputes
 * the logits x if that takes too much memory or their slope is needed. In the backward pass e
 * becomes the softmax p in place, by a factor for each row and tile. Of a frozen head the backward
 * pass needs p W alone, which does not depend on g: the forward pass sums e W over a thread's tiles
 * while each is in the cache, and nothing of the size of the vocabulary is kept. Its tiles share a
 * reference, so that their sums can be added; as in online softmax (Milakov and Gimelshein 2018,
 * arXiv 1805.02867) a larger reference rescales what was summed before.
 */
final class HeadPass implements AutoCloseable {

  /**
   * Statistics of each tile and row, shape (tiles, scored) each, where x are the logits of a row in
   * a tile and e = exp(x - reference).
   *
   * @param largest the largest x
   * @param reference the largest x, or with a frozen head a value that is at most {@link #HEADROOM}
   *     below it
   * @param sum the sum of e
   * @param weighted the sum of e x
   * @param norm the square root of the sum of e^2
   * @param total the sum of x
   */
  private record TileStatistics(
      Tensor largest, Tensor reference, Tensor sum, Tensor weighted, Tensor norm, Tensor total) {
    static TileStatistics zeros(Tensor like, int tiles, int scored, boolean frozen) {
      Tensor all = Tensors.zerosLike(like, 6, tiles, scored);
      return new TileStatistics(
          all.select(0, 0),
          all.select(0, frozen ? 5 : 0),
          all.select(0, 1),
          all.select(0, 2),
          all.select(0, 3),
          all.select(0, 4));
    }
  }

  /**
   * The results of the forward pass.
   *
   * @param normalizers log sum exp x of each row, shape (scored)
   * @param tileWeights exp(reference - normalizer), which times e is the softmax; shape (tiles,
   *     scored)
   * @param logProbs of the targets, in nats, shape (scored)
   * @param tokenStatistics entropy, mean logit, whether the target is the most likely token, and
   *     alignment, shape (scored) each; empty if not asked for
   */
  private record Result(
      Tensor normalizers, Tensor tileWeights, Tensor logProbs, List<Tensor> tokenStatistics) {}

  /**
   * Limits of memory.
   *
   * @param keptBytes logits are recomputed if their exponentials take more bytes than this
   * @param tileElements elements of a tile: it stays in the cache with a copy of it and its part of
   *     the matrix
   * @param minWidth least number of vocabulary entries of a tile
   * @param maxWidth largest number of vocabulary entries of a tile
   */
  record Sizes(long keptBytes, int tileElements, int minWidth, int maxWidth) {
    static final Sizes DEFAULT = new Sizes(LogProbEngine.KEPT_BYTES, 1 << 18, 256, 1024);

    int width(int scored) {
      return Math.min(maxWidth, Math.max(minWidth, tileElements / Math.max(1, scored)));
    }
  }

  /**
   * How far a logit may exceed its reference, in nats. The norm of e takes its square, which must
   * be finite: exp(2 x 20) times the width of a tile is far below the largest float.
   */
  private static final double HEADROOM = 20;

  private final Linear head;
  private final double cap; // of the logits; 0 for none
  private final CausalLm model;
  private final WorkerPool workers;
  private final TensorScope scope;
  private final boolean training;
  private final boolean statistics;
  private final Sizes sizes;
  private final int[] targetIds; // (scored)
  private final Tensor targets; // (scored)
  private final Tensor predictors; // (scored), as rows of the states
  private final int scored;
  private final int vocabulary;
  private final int width; // of a tile
  private final RowPartition rows; // the scored rows by thread
  private WorkerPool.@Nullable Buffer memory; // of the exponentials; null to keep none
  private @Nullable Tensor kept; // e of all tiles, contiguous
  private final List<Tape> tapes = new ArrayList<>(); // by thread that has rows, if training
  private final Node[] leaves;
  private final List<List<Product>> products = new ArrayList<>(); // by thread that has rows
  private final List<Tensor> inputs = new ArrayList<>(); // of the products, (scored, in)
  private @Nullable Tensor[][] softmaxTimesWeight = {}; // sums of p W, by product and thread
  private boolean frozen; // whether the forward pass sums p W
  private @Nullable Tensor[] references = {}; // by thread that has tiles, (scored), if frozen
  private @Nullable Result result;

  private HeadPass(
      CausalLm model,
      FlatSequences sequences,
      boolean training,
      boolean statistics,
      Sizes sizes,
      OptionalLong dropoutSeed,
      TensorScope scope) {
    this.model = model;
    this.training = training;
    this.statistics = statistics;
    this.sizes = sizes;
    this.scope = scope;
    workers = WorkerPool.get();
    head = model.head();
    cap = model.logitCap();
    targetIds = sequences.targets();
    targets = Tensors.longs(targetIds);
    scored = targetIds.length;
    vocabulary = model.vocabSize();
    width = sizes.width(scored);
    int[] predicting = sequences.predicting();
    predictors =
        Tensors.longs(
            Arrays.stream(sequences.predictors())
                .map(token -> Arrays.binarySearch(predicting, token))
                .toArray());
    rows = RowPartition.of(workers, scored);
    leaves = new Node[rows.threads()];
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
  }

  /**
   * Runs the forward pass.
   *
   * @param states after the last block, shape (predicting, hidden)
   * @param training whether there will be a backward pass
   * @param statistics whether to compute token statistics
   * @param sizes limits of memory
   * @param dropoutSeed seed of the dropout masks; empty for a pass without dropout
   * @return the pass, to be closed by the caller
   */
  static HeadPass forward(
      CausalLm model,
      FlatSequences sequences,
      Tensor states,
      boolean training,
      boolean statistics,
      Sizes sizes,
      OptionalLong dropoutSeed) {
    TensorScope scope = TensorScope.open();
    @Nullable HeadPass pass = null;
    try {
      pass = new HeadPass(model, sequences, training, statistics, sizes, dropoutSeed, scope);
      pass.result = pass.runForward(states);
      return pass;
    } catch (RuntimeException | Error e) {
      if (pass != null) {
        pass.close();
      } else {
        scope.close();
      }
      throw e;
    } finally {
      scope.stopCollecting();
    }
  }

  private Result runForward(Tensor states) {
    workers.runOnEach(thread -> project(thread, states));
    frozen = training && hasFrozenHead();
    if (training && !frozen && cap == 0) {
      keepExponentials(states);
    }
    softmaxTimesWeight = new Tensor[inputs.size()][workers.size()];
    references = new Tensor[workers.size()];
    TileStatistics tiles = TileStatistics.zeros(states, tiles(), scored, frozen);
    Tensor targetLogits = Tensors.zerosLike(states, scored);
    workers.runOnEach(
        thread ->
            forEachTile(
                thread,
                tile -> {
                  Tensor x = logits(tile);
                  Tensor largest = tile.of(tiles.largest());
                  torch.amax_out(largest, x, new long[] {1}, false);
                  if (frozen) {
                    raiseReference(thread, largest);
                    tile.of(tiles.reference()).copy_(references[thread]);
                  }
                  Tensor e = exponentials(tile, x, tiles);
                  addToTargets(tile, x, targetLogits);
                  if (frozen) {
                    addProducts(thread, tile, cap == 0 ? e : e.mul(SoftCapping.slope(x, cap)));
                  }
                  if (statistics) {
                    computeStatistics(tile, x, e, tiles);
                  }
                }));
    Tensor normalizers = tiles.reference().add(tiles.sum().log()).logsumexp(new long[] {0}, false);
    if (frozen) {
      workers.runOnEach(thread -> normalize(thread, normalizers));
      Arrays.stream(softmaxTimesWeight).forEach(HeadPass::addUp);
    }
    Tensor tileWeights = tiles.reference().sub(normalizers).exp_();
    Tensor logProbs = targetLogits.sub(normalizers);
    List<Tensor> tokens =
        statistics
            ? tokenStatistics(tiles, targetLogits, normalizers, tileWeights, logProbs)
            : List.of();
    return new Result(normalizers, tileWeights, logProbs, tokens);
  }

  private Result result() {
    return Objects.requireNonNull(result);
  }

  /** Log-probabilities of the targets, in nats, shape (scored). */
  Tensor logProbs() {
    return result().logProbs();
  }

  /** Sums over the targets of each sequence; zero if no statistics were asked for. */
  TokenStatistics statistics(int[] sequenceOf, int sequences) {
    TokenStatistics sums = TokenStatistics.zeros(sequences);
    if (statistics && scored > 0) {
      double[] values = Tensors.toDoubles(Tensors.cat(result().tokenStatistics(), 0));
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

  /** Bytes of the exponentials that are kept for the backward pass. */
  long keptBytes() {
    return kept == null ? 0 : kept.numel() * kept.element_size();
  }

  // --- by rows: the last norm and the inputs of the products -----------------------------------

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
    allocateInputs(parts);
    for (int i = 0; i < parts.size(); i++) {
      rows(inputs.get(i), thread).copy_(parts.get(i).input().value());
    }
    leaves[thread] = leaf;
    products.set(thread, parts);
    if (!tapes.isEmpty()) {
      tapes.get(thread).endForward();
    }
  }

  /** Memory for all rows. The first thread that calls this allocates it. */
  private synchronized void allocateInputs(List<Product> parts) {
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

  // --- by tiles of the vocabulary -------------------------------------------------------------

  /** All scored rows of {@code count} vocabulary entries, beginning with {@code from}. */
  private record Tile(int number, int from, int count) {
    /** This tile's entry of a tensor (tiles, ...). */
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

  private void forEachTile(int thread, Consumer<Tile> work) {
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

  /** Logits, shape (scored, count), in new memory: products into a part of a matrix are slower. */
  private Tensor logits(Tile tile) {
    @Nullable Tensor bias =
        head.bias() == null ? null : head.bias().narrow(0, tile.from(), tile.count());
    Tensor sum = part(0, tile).times(inputs.get(0), true, bias);
    for (int i = 1; i < inputs.size(); i++) {
      sum = part(i, tile).plusTimes(sum, inputs.get(i), true);
    }
    return cap == 0 ? sum : SoftCapping.apply_(sum, cap);
  }

  /** Logits of some rows over the whole vocabulary, shape (to - from, vocabulary). */
  Tensor logits(int from, int to) {
    Tensor sum = matrix(0).times(Tensors.rows(inputs.get(0), 0, from, to), true, head.bias());
    for (int i = 1; i < inputs.size(); i++) {
      sum = matrix(i).plusTimes(sum, Tensors.rows(inputs.get(i), 0, from, to), true);
    }
    return model.capLogits(sum);
  }

  private Matrix part(int product, Tile tile) {
    return matrix(product).rows(tile.from(), tile.count());
  }

  /** The memory of a tile's exponentials, shape (scored, count). */
  private Tensor keptTile(Tensor kept, Tile tile) {
    return kept.narrow(0, (long) scored * tile.from(), (long) scored * tile.count())
        .view(scored, tile.count());
  }

  /** Allocates memory for the exponentials unless they take too much. */
  private void keepExponentials(Tensor like) {
    long count = (long) scored * vocabulary;
    if (count * like.element_size() <= sizes.keptBytes()) {
      memory = workers.buffer(Tensors.elementType(like), count);
      kept = memory.tensor();
    }
  }

  /** Whether the head has no weights to train. */
  private boolean hasFrozenHead() {
    return products.stream().flatMap(List::stream).noneMatch(part -> part.matrix().trained())
        && (head.bias() == null || !head.bias().requires_grad());
  }

  private Tensor exponentials(Tile tile, Tensor x, TileStatistics tiles) {
    Tensor column = tile.of(tiles.reference()).unsqueeze(1);
    Tensor e = kept == null ? x.sub(column) : torch.sub_out(keptTile(kept, tile), x, column);
    sum(e.exp_(), tile.of(tiles.sum()));
    return e;
  }

  private void addToTargets(Tile tile, Tensor x, Tensor targetLogits) {
    int[] hits = IntStream.range(0, scored).filter(row -> tile.has(targetIds[row])).toArray();
    if (hits.length > 0) {
      long[] places =
          Arrays.stream(hits)
              .mapToLong(row -> (long) row * tile.count() + targetIds[row] - tile.from())
              .toArray();
      targetLogits.index_copy_(
          0, Tensors.longs(hits), x.view(-1).index_select(0, Tensors.longs(places)));
    }
  }

  /** The statistics that are asked for; overwrites the logits. */
  private static void computeStatistics(Tile tile, Tensor x, Tensor e, TileStatistics tiles) {
    tile.of(tiles.norm())
        .copy_(e.norm(new ScalarOptional(Tensors.scalar(2)), new long[] {1}, false));
    sum(x, tile.of(tiles.total()));
    sum(x.mul_(e), tile.of(tiles.weighted()));
  }

  /** Raises a thread's references where the largest logits of a tile exceed one by too much. */
  private void raiseReference(int thread, Tensor largest) {
    @Nullable Tensor reference = references[thread];
    if (reference == null) {
      references[thread] = TensorScope.ownedHandle(largest.clone());
    } else if (!largest.sub(reference).le(Tensors.scalar(HEADROOM)).all().item_bool()) {
      // A comparison with NaN is false: a row that has one does not hide the others.
      Tensor raised = reference.maximum(largest);
      Tensor factors = reference.sub(raised).exp_().unsqueeze(1);
      for (Tensor[] sums : softmaxTimesWeight) {
        Objects.requireNonNull(sums[thread]).mul_(factors);
      }
      reference.copy_(raised);
    }
  }

  /** Adds up the sums of all threads, in place of the first one. */
  private static void addUp(@Nullable Tensor[] sums) {
    @Nullable Tensor total = null;
    for (int thread = 0; thread < sums.length; thread++) {
      Tensor sum = sums[thread];
      if (total == null) {
        total = sum;
      } else if (sum != null) {
        total.add_(sum);
        sums[thread] = null;
        Tensors.free(sum);
      }
    }
  }

  /** Makes a thread's sums of e W those of p W. */
  private void normalize(int thread, Tensor normalizers) {
    @Nullable Tensor reference = references[thread];
    if (reference == null) { // the thread has no tiles
      return;
    }
    try (TensorScope scope = TensorScope.open()) {
      Tensor factors = reference.sub(normalizers).exp_().unsqueeze(1);
      for (Tensor[] sums : softmaxTimesWeight) {
        Objects.requireNonNull(sums[thread]).mul_(factors);
      }
    }
  }

  private static void sum(Tensor rows, Tensor out) {
    torch.sum_out(out, rows, new long[] {1}, false, Tensors.noType());
  }

  private List<Tensor> tokenStatistics(
      TileStatistics tiles,
      Tensor targetLogits,
      Tensor normalizers,
      Tensor tileWeights,
      Tensor logProbs) {
    // H = log Z - sum p x
    Tensor entropy = normalizers.sub(tiles.weighted().mul(tileWeights).sum(0));
    Tensor mean = tiles.total().sum(0).div_(Tensors.scalar(vocabulary));
    Tensor best = tiles.largest().amax(new long[] {0}, false);
    Tensor correct = targetLogits.ge(best).to(targetLogits.scalar_type().intern());
    Tensor squares = tiles.norm().mul(tileWeights).square_().sum(0);
    return List.of(entropy, mean, correct, logProbs.sub(squares.log_()));
  }

  // --- backward -------------------------------------------------------------------------------

  /**
   * Runs the backward pass, once and if the pass was opened for training: adds to the gradients of
   * the weights of the last norm and the head.
   *
   * @param byLogProbs gradient of the loss with respect to {@link #logProbs}, shape (scored)
   * @param byStates the gradient with respect to the states is added to it, shape (predicting,
   *     hidden)
   */
  void backward(Tensor byLogProbs, Tensor byStates) {
    if (scored == 0) {
      return;
    }
    Tensor factors = byLogProbs.unsqueeze(1); // g, (scored, 1)
    Tensor targetLogits = logProbs().add(result().normalizers());
    @Nullable Tensor slope = cap == 0 ? null : SoftCapping.slope(targetLogits, cap).unsqueeze(1);
    Tensor byTargets = slope == null ? factors : factors.mul(slope);
    if (!frozen) {
      addGradients(byLogProbs);
    }
    List<Tensor> byInputs = new ArrayList<>();
    for (int i = 0; i < inputs.size(); i++) {
      if (matrix(i).trained()) {
        matrix(i).values().grad().index_add_(0, targets, inputs.get(i).mul(byTargets));
      }
      Tensor byInput = matrix(i).select(targets);
      if (slope != null) {
        byInput.mul_(slope);
      }
      for (Tensor sum : softmaxTimesWeight[i]) {
        if (sum != null) { // else the thread has no tiles
          byInput.sub_(sum);
        }
      }
      byInputs.add(byInput.mul_(factors));
    }
    if (head.bias() != null && head.bias().requires_grad()) {
      head.bias().grad().index_add_(0, targets, byTargets.squeeze(1));
    }
    Tensor byRows = Tensors.emptyLike(byStates, scored, byStates.size(1));
    workers.runOnEach(
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

  /** Adds p W to the threads' sums, and the part of the softmax to the gradients of the weights. */
  private void addGradients(Tensor byLogProbs) {
    Tensor normalizers = result().normalizers().unsqueeze(1);
    Tensor factors = byLogProbs.unsqueeze(1).neg();
    List<Tensor> scaled = inputs.stream().map(input -> input.mul(factors)).toList();
    workers.runOnEach(
        thread ->
            forEachTile(
                thread,
                tile -> {
                  Tensor p =
                      kept == null
                          ? softmax(tile, normalizers)
                          : keptTile(kept, tile).mul_(tile.of(result().tileWeights()).unsqueeze(1));
                  addProducts(thread, tile, p);
                  for (int i = 0; i < inputs.size(); i++) {
                    if (matrix(i).trained()) {
                      matrix(i).addGradient(tile.from(), tile.count(), p, scaled.get(i));
                    }
                  }
                  addToBias(tile, p, byLogProbs);
                }));
  }

  /** The softmax, times the slope of the soft cap where there is one, shape (scored, count). */
  private Tensor softmax(Tile tile, Tensor normalizers) {
    Tensor x = logits(tile);
    @Nullable Tensor slope = cap == 0 ? null : SoftCapping.slope(x, cap);
    Tensor p = x.sub_(normalizers).exp_();
    return slope == null ? p : p.mul_(slope);
  }

  private void addProducts(int thread, Tile tile, Tensor p) {
    for (int i = 0; i < inputs.size(); i++) {
      addProduct(softmaxTimesWeight[i], thread, part(i, tile), p);
    }
  }

  /** Adds p W to a sum that outlives the tile's scope. */
  private static void addProduct(@Nullable Tensor[] sums, int thread, Matrix matrix, Tensor p) {
    Tensor before = sums[thread];
    Tensor sum = before == null ? matrix.times(p, false) : matrix.plusTimes(before, p, false);
    sums[thread] = TensorScope.ownedHandle(sum);
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
    Arrays.stream(softmaxTimesWeight)
        .flatMap(Arrays::stream)
        .filter(Objects::nonNull)
        .forEach(Tensors::free);
    softmaxTimesWeight = new Tensor[0][];
    Arrays.stream(references).filter(Objects::nonNull).forEach(Tensors::free);
    references = new Tensor[0];
    if (memory != null) {
      memory.close();
    }
    scope.close();
  }
}
