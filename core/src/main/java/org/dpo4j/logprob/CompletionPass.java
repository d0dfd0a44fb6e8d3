package org.dpo4j.logprob;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.DecoderPass;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.Pools;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * The log-probabilities of a batch's completions on all threads, and the way back from them to the
 * gradients of the weights. The same numbers as {@link SequenceLogProbs} and libtorch's autograd
 * give, to rounding.
 *
 * <p>Logits are computed only where a completion token is predicted.
 */
public final class CompletionPass implements AutoCloseable {

  /** Exponentials of all logits are kept for the way back where they take no more bytes. */
  public static final long KEPT_BYTES = 256L << 20;

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

  private final CausalLm model;
  private final FlatSequences sequences;
  private final LengthDesensitizing tail;
  private final Purpose purpose;
  private final DecoderPass decoder;
  private final HeadPass head;
  private final TokenStatistics statistics;

  /**
   * Goes forward.
   *
   * @param tail weights tokens; {@code sequences} are then pairs
   * @throws org.dpo4j.DpoException if an id or position is none of the model's
   */
  public CompletionPass(
      CausalLm model, FlatSequences sequences, LengthDesensitizing tail, Purpose purpose) {
    this(model, sequences, tail, purpose, HeadPass.Sizes.DEFAULT);
  }

  CompletionPass(
      CausalLm model,
      FlatSequences sequences,
      LengthDesensitizing tail,
      Purpose purpose,
      HeadPass.Sizes sizes) {
    SequenceLogProbs.check(model, sequences);
    this.sequences = sequences;
    this.tail = tail;
    this.purpose = purpose;
    this.model = model;
    decoder = new DecoderPass(model, sequences, purpose.keep);
    try (CausalLm.Use use = model.use();
        Pools.Hold single = Pools.single();
        NoGrad noGrad = NoGrad.open()) {
      head =
          new HeadPass(
              model,
              sequences,
              decoder.states(),
              purpose.keep != DecoderPass.Keep.NOTHING,
              purpose != Purpose.SUMS,
              sizes);
      try {
        statistics = head.statistics(sequences.sequenceOf(), sequences.sequences());
      } catch (RuntimeException | Error e) {
        head.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      decoder.close();
      throw e;
    }
  }

  /** Sums of log-probabilities over completion tokens, in nats, shape (sequences). */
  public Tensor sums() {
    return summed(head.logProbs());
  }

  /** The same with each token's {@link LengthDesensitizing}. */
  public Tensor weightedSums() {
    return tail.equals(LengthDesensitizing.NONE)
        ? sums()
        : summed(head.logProbs().mul(Tensors.like(head.logProbs(), tail.of(sequences))));
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
   * Goes back, once: adds to the gradients of all weights that require one. Those must have
   * required it when the pass was opened, and have room for it.
   *
   * @param bySums gradient of the loss by {@link #sums}, shape (sequences)
   * @param byWeightedSums gradient of the loss by {@link #weightedSums}, likewise
   * @throws IllegalStateException as {@link DecoderPass#beginBackward}
   */
  public void backward(Tensor bySums, Tensor byWeightedSums) {
    if (purpose.keep == DecoderPass.Keep.NOTHING) {
      throw new IllegalStateException("a pass for " + purpose + " has no way back");
    }
    decoder.beginBackward();
    try (CausalLm.Use use = model.use();
        Pools.Hold single = Pools.single();
        TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor sequenceOf = Tensors.longs(sequences.sequenceOf());
      Tensor weighted = byWeightedSums.index_select(0, sequenceOf);
      if (!tail.equals(LengthDesensitizing.NONE)) {
        weighted.mul_(Tensors.like(weighted, tail.of(sequences)));
      }
      Tensor byToken = bySums.index_select(0, sequenceOf).add_(weighted); // (scored)
      Tensor byStates = Tensors.zerosLike(decoder.states(), decoder.states().shape());
      head.backward(byToken, byStates);
      decoder.backward(byStates);
    }
  }

  /** Frees what was kept; any thread may do that, and in any order with other passes. */
  @Override
  public void close() {
    head.close();
    decoder.close();
  }
}
