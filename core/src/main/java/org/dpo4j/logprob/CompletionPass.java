package org.dpo4j.logprob;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.DecoderPass;
import org.dpo4j.model.Linear;
import org.dpo4j.model.Node;
import org.dpo4j.model.Tape;
import org.dpo4j.model.WeightGradients;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.Team;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * The log-probabilities of a batch's completions on all threads, and the way back from them to the
 * gradients of the weights. The same numbers as {@link SequenceLogProbs} and libtorch's autograd
 * give, to rounding.
 *
 * <p>Logits are computed only where a completion token is predicted, in blocks of rows that stay in
 * the processor's cache while their softmax is taken; the softmax stands where the logits were, and
 * becomes their gradient, g (onehot - softmax), in the same place.
 */
public final class CompletionPass implements AutoCloseable {

  /** What of it is wanted. */
  public enum Purpose {
    /** The sums of log-probabilities alone. */
    SUMS(DecoderPass.Keep.NOTHING),
    /** Sums and statistics. */
    STATISTICS(DecoderPass.Keep.NOTHING),
    /** Sums, statistics and the way back. */
    TRAINING(DecoderPass.Keep.ALL),
    /** As TRAINING, but blocks are computed once more on the way back and not kept. */
    CHECKPOINTED_TRAINING(DecoderPass.Keep.STATES);

    private final DecoderPass.Keep keep;

    Purpose(DecoderPass.Keep keep) {
      this.keep = keep;
    }
  }

  /** Logits that are kept between the two ways, in bytes; beyond that they are computed again. */
  static final long LOGITS_BYTES = 256L << 20;

  /** Logits at a time where there is no way back to keep them for. */
  private static final long PASSING_LOGITS_BYTES = 64L << 20;

  /** Elements of a block whose softmax is taken at once: it and its copy stay in cache. */
  private static final long BLOCK = 200_000;

  private final CausalLm model;
  private final FlatSequences sequences;
  private final TailWeight tail;
  private final Purpose purpose;
  private final Team team = Team.get();
  private final DecoderPass decoder;
  private final Linear head;
  private final int scored;
  private final int threads; // that have scored tokens
  private final int roundRows; // of a thread in one round
  private final int rounds;
  private final Tensor targets; // (scored)
  private final Tensor predictors; // (scored)
  private final Tensor logProbs; // (scored)
  private final TokenStatistics statistics;
  private final double[][] measured = new double[4][]; // by token: entropy, logit, correct, align
  private final List<Tape> tapes = new ArrayList<>(); // of the one round that is kept
  private final Node[] leaves;
  private final Node[] logits;

  /**
   * Goes forward.
   *
   * @param tail weights tokens; {@code sequences} are then pairs
   * @throws org.dpo4j.DpoException if an id or position is none of the model's
   */
  public CompletionPass(CausalLm model, FlatSequences sequences, TailWeight tail, Purpose purpose) {
    this(
        model,
        sequences,
        tail,
        purpose,
        purpose.keep == DecoderPass.Keep.NOTHING ? PASSING_LOGITS_BYTES : LOGITS_BYTES);
  }

  CompletionPass(
      CausalLm model, FlatSequences sequences, TailWeight tail, Purpose purpose, long logitsBytes) {
    SequenceLogProbs.check(model, sequences);
    this.model = model;
    this.sequences = sequences;
    this.tail = tail;
    this.purpose = purpose;
    this.head = model.head();
    scored = sequences.targets().length;
    threads = Math.max(1, Math.min(team.size(), scored));
    leaves = new Node[threads];
    logits = new Node[threads];
    int most = (scored - 1) / threads + 1; // rows of a thread
    long fit = logitsBytes / (4L * threads * model.vocabSize());
    roundRows = (int) Math.max(1, Math.min(most, fit));
    rounds = (most - 1) / roundRows + 1;
    for (int i = 0; i < measured.length; i++) {
      measured[i] = new double[wants(Purpose.STATISTICS) ? scored : 0];
    }
    decoder = new DecoderPass(model, sequences, purpose.keep);
    try (NoGrad noGrad = NoGrad.open()) {
      targets = Tensors.longs(sequences.targets());
      predictors = Tensors.longs(sequences.predictors());
      logProbs = Tensors.zerosLike(decoder.states(), scored);
      for (int round = 0; round < rounds; round++) {
        forward(round, wants(Purpose.TRAINING) && rounds == 1);
      }
      statistics = statistics();
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  private boolean wants(Purpose least) {
    return purpose.compareTo(least) >= 0;
  }

  /** Sums of log-probabilities over completion tokens, in nats, shape (sequences). */
  public Tensor sums() {
    return summed(logProbs);
  }

  /** The same with each token's {@link TailWeight}. */
  public Tensor weightedSums() {
    return tail.equals(TailWeight.NONE)
        ? sums()
        : summed(logProbs.mul(Tensors.like(logProbs, tail.of(sequences))));
  }

  private Tensor summed(Tensor terms) {
    return Tensors.zerosLike(terms, sequences.sequences())
        .index_add(0, Tensors.longs(sequences.sequenceOf()), terms);
  }

  /** What the predictions looked like; all zero where only sums are wanted. */
  public TokenStatistics tokens() {
    return statistics;
  }

  /**
   * Goes back, once: adds to the gradients of all weights that require one.
   *
   * @param bySums gradient of the loss by {@link #sums}, shape (sequences)
   * @param byWeightedSums gradient of the loss by {@link #weightedSums}, likewise
   */
  public void backward(Tensor bySums, Tensor byWeightedSums) {
    if (!wants(Purpose.TRAINING)) {
      throw new IllegalStateException("a pass for " + purpose + " has no way back");
    }
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor sequenceOf = Tensors.longs(sequences.sequenceOf());
      Tensor weighted = byWeightedSums.index_select(0, sequenceOf);
      if (!tail.equals(TailWeight.NONE)) {
        weighted.mul_(Tensors.like(weighted, tail.of(sequences)));
      }
      Tensor byToken = bySums.index_select(0, sequenceOf).add_(weighted); // (scored)
      Tensor states = decoder.states();
      Tensor selected = Tensors.emptyLike(states, scored, states.size(1));
      for (int round = 0; round < rounds; round++) {
        if (rounds > 1) {
          forward(round, true);
        }
        backward(round, byToken, selected);
      }
      Tensor gradient = Tensors.zerosLike(states, states.shape());
      decoder.backward(gradient.index_add_(0, predictors, selected));
    }
  }

  /** A moving reference passes by while the policy's logits are kept. */
  private String room(int thread) {
    return (wants(Purpose.TRAINING) ? "logits of training " : "logits ") + thread;
  }

  private int from(int round, int thread) {
    int start = (int) ((long) scored * thread / threads);
    int end = (int) ((long) scored * (thread + 1) / threads);
    return Math.min(end, start + round * roundRows);
  }

  private int to(int round, int thread) {
    return from(round + 1, thread);
  }

  private void forward(int round, boolean taped) {
    if (scored == 0) {
      return;
    }
    if (taped) {
      for (int thread = 0; thread < threads; thread++) {
        tapes.add(new Tape(0));
      }
    }
    team.each(
        thread -> {
          if (thread < threads && from(round, thread) < to(round, thread)) {
            forward(round, thread, taped ? tapes.get(thread) : null);
          }
        });
  }

  private void forward(int round, int thread, @Nullable Tape tape) {
    int from = from(round, thread);
    int rows = to(round, thread) - from;
    Tensor states = decoder.states().index_select(0, predictors.narrow(0, from, rows));
    Node leaf = tape == null ? Node.of(states) : tape.leaf(tape.keep(states));
    Tensor room =
        team.scratch(room(thread), Tensors.elementType(states), rows, (long) model.vocabSize());
    Node scores = head.apply(model.finalNorm(leaf), room);
    if (!scores.value().is_same(room)) {
      room.copy_(scores.value()); // an adapter added to it
    }
    softmax(room, from);
    leaves[thread] = leaf;
    logits[thread] = scores;
    if (tape != null) {
      tape.forwardDone();
    }
  }

  /** Turns rows of logits into their softmax and notes what they say of the targets. */
  private void softmax(Tensor scores, int from) {
    int rows = (int) scores.size(0);
    Tensor found = scores.gather(1, targets.narrow(0, from, rows).unsqueeze(1)); // (rows, 1)
    int blockRows = (int) Math.max(1, BLOCK / scores.size(1));
    for (int start = 0; start < rows; start += blockRows) {
      int count = Math.min(blockRows, rows - start);
      try (TensorScope scope = TensorScope.open()) {
        Tensor block = scores.narrow(0, start, count);
        Tensor targetScores = found.narrow(0, start, count).squeeze(1);
        Tensor shares = torch.softmax(block, -1);
        Tensor best = block.amax(new long[] {-1}, false);
        // The largest share is at least 1 / vocab, so that its logarithm keeps all digits.
        Tensor normalizer = best.sub(shares.amax(new long[] {-1}, false).log_());
        Tensor logProb = targetScores.sub(normalizer);
        logProbs.narrow(0, (long) from + start, count).copy_(logProb);
        if (wants(Purpose.STATISTICS)) {
          measure(from + start, block, shares, best, targetScores, normalizer, logProb);
        }
        if (wants(Purpose.TRAINING)) {
          block.copy_(shares);
        }
      }
    }
  }

  private void measure(
      int at,
      Tensor block,
      Tensor shares,
      Tensor best,
      Tensor targetScores,
      Tensor normalizer,
      Tensor logProb) {
    // H = log Z - sum p x logit
    Tensor entropy = normalizer.sub(shares.mul(block).sum(new long[] {-1}));
    Tensor mean = block.mean(new long[] {-1});
    Tensor correct = targetScores.ge(best).to(block.scalar_type().intern());
    Tensor norm = shares.norm(new ScalarOptional(Tensors.scalar(2)), new long[] {-1}, false);
    Tensor alignment = logProb.sub(norm.log_().mul_(Tensors.scalar(2)));
    int count = (int) block.size(0);
    double[] values = Tensors.toDoubles(Tensors.cat(List.of(entropy, mean, correct, alignment), 0));
    for (int kind = 0; kind < measured.length; kind++) {
      System.arraycopy(values, kind * count, measured[kind], at, count);
    }
  }

  private void backward(int round, Tensor byToken, Tensor selected) {
    if (scored == 0) {
      return;
    }
    List<Tape> used = new ArrayList<>();
    for (int thread = 0; thread < threads; thread++) {
      if (from(round, thread) < to(round, thread)) {
        used.add(tapes.get(thread));
      }
    }
    team.each(
        thread -> {
          int from = thread < threads ? from(round, thread) : 0;
          int rows = thread < threads ? to(round, thread) - from : 0;
          if (rows == 0) {
            return;
          }
          Tensor column = byToken.narrow(0, from, rows).unsqueeze(1);
          Tensor room =
              team.scratch(
                  room(thread), Tensors.elementType(byToken), rows, (long) model.vocabSize());
          room.mul_(column.neg())
              .scatter_add_(1, targets.narrow(0, from, rows).unsqueeze(1), column);
          tapes.get(thread).backward(List.of(logits[thread]), List.of(room));
          selected.narrow(0, from, rows).copy_(leaves[thread].gradient());
        });
    WeightGradients.add(team, used);
    tapes.forEach(Tape::close);
    tapes.clear();
  }

  private TokenStatistics statistics() {
    TokenStatistics sums = TokenStatistics.zeros(sequences.sequences());
    if (wants(Purpose.STATISTICS)) {
      for (int i = 0; i < scored; i++) {
        int sequence = sequences.sequenceOf()[i];
        sums.tokens()[sequence]++;
        sums.entropy()[sequence] += measured[0][i];
        sums.logits()[sequence] += measured[1][i];
        sums.correct()[sequence] += measured[2][i];
        sums.alignment()[sequence] += measured[3][i];
      }
    }
    return sums;
  }

  @Override
  public void close() {
    tapes.forEach(Tape::close);
    tapes.clear();
    Arrays.fill(measured, new double[0]);
    decoder.close();
  }
}
