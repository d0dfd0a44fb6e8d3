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
 * The pass of {@link CpuEngine}: the blocks in a {@link DecoderPass}, the head in a {@link
 * HeadPass}. Logits are computed only at positions that predict a completion token.
 */
final class CpuPass implements LogProbPass {

  private final CausalLm model;
  private final FlatSequences sequences;
  private final LengthDesensitizing tail;
  private final LogProbEngine.Purpose purpose;
  private final DecoderPass decoder;
  private final HeadPass head;
  private final TokenStatistics statistics;

  private CpuPass(
      CausalLm model,
      FlatSequences sequences,
      LengthDesensitizing tail,
      LogProbEngine.Purpose purpose,
      DecoderPass decoder,
      HeadPass head,
      TokenStatistics statistics) {
    this.model = model;
    this.sequences = sequences;
    this.tail = tail;
    this.purpose = purpose;
    this.decoder = decoder;
    this.head = head;
    this.statistics = statistics;
  }

  /**
   * Runs the forward pass as {@link LogProbEngine#forward}.
   *
   * @param sizes tiles of the head, and how much of them is kept
   */
  static CpuPass forward(
      CausalLm model,
      FlatSequences sequences,
      LengthDesensitizing tail,
      LogProbEngine.Purpose purpose,
      HeadPass.Sizes sizes) {
    SequenceLogProbs.check(model, sequences);
    DecoderPass decoder = new DecoderPass(model, sequences, keep(purpose));
    try (CausalLm.Use use = model.use();
        Pools.Hold single = Pools.single();
        NoGrad noGrad = NoGrad.open()) {
      HeadPass head =
          new HeadPass(
              model,
              sequences,
              decoder.states(),
              purpose.trains(),
              purpose != LogProbEngine.Purpose.SUMS,
              sizes);
      try {
        TokenStatistics statistics = head.statistics(sequences.sequenceOf(), sequences.sequences());
        return new CpuPass(model, sequences, tail, purpose, decoder, head, statistics);
      } catch (RuntimeException | Error e) {
        head.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      decoder.close();
      throw e;
    }
  }

  private static DecoderPass.Keep keep(LogProbEngine.Purpose purpose) {
    return switch (purpose) {
      case SUMS, STATISTICS -> DecoderPass.Keep.NOTHING;
      case TRAINING -> DecoderPass.Keep.ALL;
      case CHECKPOINTED_TRAINING -> DecoderPass.Keep.STATES;
    };
  }

  @Override
  public Tensor sums() {
    return summed(head.logProbs());
  }

  @Override
  public Tensor weightedSums() {
    return tail.equals(LengthDesensitizing.NONE)
        ? sums()
        : summed(head.logProbs().mul(Tensors.like(head.logProbs(), tail.of(sequences))));
  }

  private Tensor summed(Tensor terms) {
    return Tensors.zerosLike(terms, sequences.sequences())
        .index_add(0, Tensors.longs(sequences.sequenceOf()), terms);
  }

  @Override
  public TokenStatistics tokens() {
    return statistics;
  }

  @Override
  public void backward(Tensor bySums, Tensor byWeightedSums) {
    if (!purpose.trains()) {
      throw new IllegalStateException("a pass for " + purpose + " has no backward pass");
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

  @Override
  public void close() {
    head.close();
    decoder.close();
  }
}
