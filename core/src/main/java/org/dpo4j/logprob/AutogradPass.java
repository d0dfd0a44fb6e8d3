package org.dpo4j.logprob;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.DropoutMasks;
import org.dpo4j.model.Node;
import org.dpo4j.model.Product;
import org.dpo4j.model.RouterLoss;
import org.dpo4j.model.TrainedWeights;
import org.dpo4j.torch.EnableGrad;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.Pools;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * The pass of {@link AutogradEngine}. Autograd's graph is cut before the head's products: the head
 * runs in tiles of rows, whose logits are kept for the backward pass up to a limit and recomputed
 * above it, so that memory does not grow with rows times vocabulary.
 */
final class AutogradPass implements LogProbPass {

  /**
   * How the head is tiled.
   *
   * @param tileLogits logits of a tile, at most, but at least one row
   * @param keptBytes the logits of all tiles are kept if they take at most this many bytes
   */
  record Sizes(long tileLogits, long keptBytes) {
    static final Sizes DEFAULT = new Sizes(1 << 24, LogProbEngine.KEPT_BYTES);
  }

  /**
   * Some rows of the head.
   *
   * @param from first row
   * @param to end of the rows, exclusive
   * @param logProbs shape (rows), with their graph; null if they are to be recomputed
   */
  private record Tile(int from, int to, @Nullable Tensor logProbs) {}

  private enum State {
    FORWARD,
    BACKWARD,
    CLOSED
  }

  private final CausalLm model;
  private final LogProbEngine.Purpose purpose;
  private final TrainedWeights weights;
  private final CompletionSums completions;
  private final TensorScope scope;
  private final List<Product> products; // whose sum, with the head's bias, is the logits
  private final List<Tensor> inputs; // of the products, (scored, in), leaves of the tiles' graphs
  private final Tensor targets; // (scored)
  private final List<Tile> tiles = new ArrayList<>();
  private final Tensor logProbs; // (scored), without a graph
  private final TokenStatistics statistics;
  private final @Nullable Tensor routerLoss; // scalar, with its graph; null for none
  private State state = State.FORWARD;

  private AutogradPass(
      CausalLm model,
      FlatSequences sequences,
      LengthDesensitizing tail,
      LogProbEngine.Purpose purpose,
      Sizes sizes,
      OptionalLong dropoutSeed,
      TensorScope scope) {
    this.model = model;
    this.purpose = purpose;
    this.scope = scope;
    weights = TrainedWeights.of(model);
    completions = new CompletionSums(sequences, tail);
    RouterLoss settings = purpose == LogProbEngine.Purpose.SUMS ? null : model.routerLoss();
    Tensor states;
    try (RouterLoss.CollectedLogits routers =
        settings == null ? null : new RouterLoss.CollectedLogits()) {
      states = SequenceLogProbs.predictingStates(model, sequences, dropoutSeed, routers);
      routerLoss =
          settings == null || routers == null
              ? null
              : settings
                  .of(routers, sequences.sequencesOfTokens())
                  .mul(Tensors.scalar(settings.coefficient()));
    }
    DropoutMasks dropout =
        dropoutSeed.isPresent()
            ? DropoutMasks.of(dropoutSeed.getAsLong(), sequences.targets().length)
            : null;
    products = model.head().products(Node.of(states, dropout));
    inputs =
        products.stream()
            .map(product -> product.input().value())
            .map(input -> input.detach().set_requires_grad(input.requires_grad()))
            .toList();
    targets = Tensors.indices(states, sequences.targets());
    statistics = TokenStatistics.zeros(sequences.sequences());
    logProbs = forwardHead(states, sequences, sizes);
  }

  /**
   * Runs the forward pass as {@link LogProbEngine#forward}.
   *
   * @param sizes tiles of the head
   */
  static AutogradPass forward(
      CausalLm model,
      FlatSequences sequences,
      LengthDesensitizing tail,
      LogProbEngine.Purpose purpose,
      Sizes sizes,
      OptionalLong dropoutSeed) {
    SequenceLogProbs.check(model, sequences);
    TensorScope scope = TensorScope.open();
    try (CausalLm.AdapterHold adapter = model.holdAdapter();
        Pools.Hold spread = Pools.spread();
        NoGrad noGrad = NoGrad.open();
        EnableGrad grad = purpose.trains() ? EnableGrad.open() : null) {
      return new AutogradPass(model, sequences, tail, purpose, sizes, dropoutSeed, scope);
    } catch (RuntimeException | Error e) {
      scope.close();
      throw e;
    } finally {
      scope.stopCollecting();
    }
  }

  /** Fills tiles and statistics, and returns the log-probabilities, shape (scored). */
  private Tensor forwardHead(Tensor states, FlatSequences sequences, Sizes sizes) {
    int scored = sequences.targets().length;
    long rowLogits = model.vocabSize();
    int rows = (int) Math.max(1, Math.min(scored, sizes.tileLogits() / rowLogits));
    boolean keep =
        purpose == LogProbEngine.Purpose.TRAINING
            && scored * rowLogits * states.element_size() <= sizes.keptBytes();
    Tensor all = Tensors.zerosLike(states, scored);
    for (int from = 0; from < scored; from += rows) {
      int to = Math.min(from + rows, scored);
      try (TensorScope inner = TensorScope.open()) {
        Tensor logits = tileLogits(from, to);
        Tensor found = logProbs(logits, from, to);
        try (NoGrad noGrad = NoGrad.open()) {
          all.narrow(0, from, to - from).copy_(found);
          if (purpose != LogProbEngine.Purpose.SUMS) {
            addStatistics(logits.detach(), from, to, sequences.sequenceOf());
          }
        }
        tiles.add(new Tile(from, to, keep ? inner.moveToOuter(found) : null));
      }
    }
    return all;
  }

  /** Shape (rows, vocabulary). */
  private Tensor tileLogits(int from, int to) {
    Tensor sum =
        products
            .get(0)
            .matrix()
            .times(Tensors.rows(inputs.get(0), 0, from, to), true, model.head().bias());
    for (int i = 1; i < products.size(); i++) {
      Tensor input = Tensors.rows(inputs.get(i), 0, from, to);
      sum = products.get(i).matrix().plusTimes(sum, input, true);
    }
    return model.capLogits(sum);
  }

  /** Log-probabilities of the targets, shape (rows). */
  private Tensor logProbs(Tensor logits, int from, int to) {
    return SequenceLogProbs.logProbs(logits, Tensors.rows(targets, 0, from, to));
  }

  /**
   * Adds the statistics of some rows.
   *
   * @param logits x, shape (rows, vocabulary)
   */
  private void addStatistics(Tensor logits, int from, int to, int[] sequenceOf) {
    long[] last = {-1};
    Tensor target = SequenceLogProbs.targetLogits(logits, Tensors.rows(targets, 0, from, to));
    Tensor normalizer = logits.logsumexp(last, false); // log Z
    // H = log Z - sum p x
    Tensor p = logits.sub(normalizer.unsqueeze(1)).exp_();
    Tensor entropy = normalizer.sub(p.mul(logits).sum(last, false, Tensors.noType()));
    Tensor mean = logits.mean(last, false, Tensors.noType());
    Tensor correct = target.ge(logits.amax(last, false));
    Tensor squares = p.square_().sum(last, false, Tensors.noType()).log_();
    double[] entropies = Tensors.toDoubles(entropy);
    double[] means = Tensors.toDoubles(mean);
    long[] hits = Tensors.toLongs(correct);
    double[] alignments = Tensors.toDoubles(target.sub(normalizer).sub_(squares));
    for (int i = 0; i < entropies.length; i++) {
      int sequence = sequenceOf[from + i];
      statistics.tokens()[sequence]++;
      statistics.entropy()[sequence] += entropies[i];
      statistics.logits()[sequence] += means[i];
      statistics.correct()[sequence] += hits[i];
      statistics.alignment()[sequence] += alignments[i];
    }
  }

  @Override
  public Tensor sums() {
    return completions.sums(logProbs);
  }

  @Override
  public Tensor weightedSums() {
    return completions.weightedSums(logProbs);
  }

  @Override
  public TokenStatistics tokens() {
    return statistics;
  }

  @Override
  public Tensor logits(int from, int to) {
    try (NoGrad noGrad = NoGrad.open()) {
      return tileLogits(from, to);
    }
  }

  @Override
  public double routerLoss() {
    return routerLoss == null ? 0 : routerLoss.item_double();
  }

  @Override
  public void backward(Tensor bySums, Tensor byWeightedSums) {
    backward(bySums, byWeightedSums, 0);
  }

  @Override
  public void backward(Tensor bySums, Tensor byWeightedSums, double byRouterLoss) {
    begin();
    try (CausalLm.AdapterHold adapter = model.holdAdapter();
        Pools.Hold spread = Pools.spread();
        TensorScope inner = TensorScope.open();
        EnableGrad grad = EnableGrad.open()) {
      Tensor byToken = completions.backward(bySums, byWeightedSums);
      for (Tile tile : tiles) {
        backward(tile, Tensors.rows(byToken, 0, tile.from(), tile.to()));
      }
      backwardBlocks(byRouterLoss);
    }
  }

  private void begin() {
    if (!purpose.trains()) {
      throw new IllegalStateException("a pass for " + purpose + " has no backward pass");
    }
    switch (state) {
      case BACKWARD ->
          throw new IllegalStateException(
              "a pass runs its backward pass once, and this one has; open another one");
      case CLOSED -> throw new IllegalStateException("this pass is closed; open another one");
      case FORWARD -> weights.requireUnchanged();
    }
    state = State.BACKWARD;
  }

  private void backward(Tile tile, Tensor byLogProbs) {
    try (TensorScope inner = TensorScope.open()) {
      Tensor found =
          tile.logProbs() == null
              ? logProbs(tileLogits(tile.from(), tile.to()), tile.from(), tile.to())
              : tile.logProbs();
      if (found.requires_grad()) { // else no weight is trained
        found.backward(byLogProbs, new BoolOptional(), false, new TensorArrayRefOptional());
      }
    }
  }

  /** From the inputs of the head's products, and from the routers' loss, on. */
  private void backwardBlocks(double byRouterLoss) {
    TensorVector roots = new TensorVector();
    TensorVector gradients = new TensorVector();
    for (int i = 0; i < inputs.size(); i++) {
      Tensor gradient = inputs.get(i).grad();
      if (gradient.defined()) {
        roots.push_back(products.get(i).input().value());
        gradients.push_back(gradient);
      }
    }
    if (routerLoss != null && routerLoss.requires_grad() && byRouterLoss != 0) {
      roots.push_back(routerLoss);
      gradients.push_back(Tensors.like(routerLoss, byRouterLoss).squeeze());
    }
    if (!roots.empty()) {
      torch.backward(roots, gradients, new BoolOptional(), false, new TensorVector());
    }
  }

  @Override
  public void close() {
    state = State.CLOSED;
    scope.close();
  }
}
