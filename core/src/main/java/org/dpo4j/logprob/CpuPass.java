package org.dpo4j.logprob;

import java.util.OptionalLong;
import java.util.function.IntConsumer;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.DecoderPass;
import org.dpo4j.model.RouterLoss;
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
  private final CompletionSums completions;
  private final LogProbEngine.Purpose purpose;
  private final DecoderPass decoder;
  private final HeadPass head;
  private final TokenStatistics statistics;

  private CpuPass(
      CausalLm model,
      CompletionSums completions,
      LogProbEngine.Purpose purpose,
      DecoderPass decoder,
      HeadPass head,
      TokenStatistics statistics) {
    this.model = model;
    this.completions = completions;
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
      HeadPass.Sizes sizes,
      OptionalLong dropoutSeed) {
    SequenceLogProbs.check(model, sequences);
    RouterLoss routers = purpose == LogProbEngine.Purpose.SUMS ? null : model.routerLoss();
    DecoderPass decoder =
        DecoderPass.forward(model, sequences, keep(purpose), dropoutSeed, routers);
    try (CausalLm.AdapterHold adapter = model.holdAdapter();
        Pools.Hold single = Pools.single();
        NoGrad noGrad = NoGrad.open()) {
      HeadPass head =
          HeadPass.forward(
              model,
              sequences,
              decoder.states(),
              purpose.trains(),
              purpose != LogProbEngine.Purpose.SUMS,
              sizes,
              dropoutSeed);
      try {
        TokenStatistics statistics = head.statistics(sequences.sequenceOf(), sequences.sequences());
        return new CpuPass(
            model, new CompletionSums(sequences, tail), purpose, decoder, head, statistics);
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
    return completions.sums(head.logProbs());
  }

  @Override
  public Tensor weightedSums() {
    return completions.weightedSums(head.logProbs());
  }

  @Override
  public TokenStatistics tokens() {
    return statistics;
  }

  @Override
  public Tensor logits(int from, int to) {
    try (NoGrad noGrad = NoGrad.open()) {
      return head.logits(from, to);
    }
  }

  @Override
  public double routerLoss() {
    return decoder.routerLoss();
  }

  @Override
  public void backward(Tensor bySums, Tensor byWeightedSums) {
    backward(bySums, byWeightedSums, 0);
  }

  @Override
  public void backward(Tensor bySums, Tensor byWeightedSums, double byRouterLoss) {
    backward(bySums, byWeightedSums, byRouterLoss, block -> {});
  }

  @Override
  public void backward(
      Tensor bySums, Tensor byWeightedSums, double byRouterLoss, IntConsumer blockDone) {
    if (!purpose.trains()) {
      throw new IllegalStateException("a pass for " + purpose + " has no backward pass");
    }
    decoder.beginBackward();
    try (CausalLm.AdapterHold adapter = model.holdAdapter();
        Pools.Hold single = Pools.single();
        TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor byToken = completions.backward(bySums, byWeightedSums);
      Tensor byStates = Tensors.zerosLike(decoder.states(), decoder.states().shape());
      head.backward(byToken, byStates);
      decoder.backward(byStates, byRouterLoss, blockDone);
    }
  }

  /** Bytes of the logits' exponentials that the head holds for the backward pass. */
  long keptLogitBytes() {
    return head.keptBytes();
  }

  @Override
  public void close() {
    head.close();
    decoder.close();
  }
}
