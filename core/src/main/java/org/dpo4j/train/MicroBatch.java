package org.dpo4j.train;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.PreferenceBatch;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbPass;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.logprob.TokenStatistics;
import org.dpo4j.loss.FDivergence;
import org.dpo4j.loss.LossInputs;
import org.dpo4j.loss.LossTerms;
import org.dpo4j.loss.Objective;
import org.dpo4j.model.CausalLm;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * Some pairs on their way through the policy into the objective. libtorch's autograd sees the loss
 * of a few log-probabilities; from there on a {@link LogProbPass} goes back.
 */
final class MicroBatch implements AutoCloseable {

  private final TensorScope scope = TensorScope.open();
  private final LogProbPass pass;
  private final Tensor sums; // (2 x pairs), a leaf
  private final Tensor weighted; // likewise; the same tensor where nothing weights tokens
  private final Tensor loss; // the sum of weight x loss

  /**
   * Goes forward.
   *
   * @param indices of the pairs in the data
   * @param unit weights of pairs are divided by it: the largest of the step, so that 32 bits can
   *     hold them
   * @param metrics get the pairs' figures
   */
  MicroBatch(
      PreferenceData data,
      LogProbEngine engine,
      CausalLm policy,
      Objective objective,
      int[] indices,
      double unit,
      LogProbEngine.Purpose purpose,
      MetricSums metrics) {
    PreferenceBatch batch = PreferenceBatch.of(data.pairs(), indices);
    LogProbPass opened = null;
    try {
      opened = engine.forward(policy, batch.sequences(), objective.tail(), purpose);
      pass = opened;
      sums = pass.sums().set_requires_grad(true);
      weighted =
          objective.tail().equals(LengthDesensitizing.NONE)
              ? sums
              : pass.weightedSums().set_requires_grad(true);
      loss = loss(data, objective, batch, indices, unit, metrics);
    } catch (RuntimeException | Error e) {
      if (opened != null) {
        opened.close();
      }
      scope.close();
      throw e;
    }
  }

  private Tensor loss(
      PreferenceData data,
      Objective objective,
      PreferenceBatch batch,
      int[] indices,
      double unit,
      MetricSums metrics) {
    PairLogProbs logProbs = PairLogProbs.ofSequences(weighted, batch.sequences().lengths());
    double[] weights = data.weights(indices);
    TokenStatistics statistics = pass.tokens();
    LossInputs inputs =
        new LossInputs(
            logProbs,
            data.reference() == null ? null : data.reference().of(batch, logProbs),
            FDivergence.NONE,
            sums.view(-1, 2).select(1, 0),
            Tensors.like(sums, chosenScored(statistics)),
            Tensors.like(sums, Arrays.stream(weights).map(weight -> weight / unit).toArray()));
    LossTerms terms = objective.terms(inputs, Tensors.like(sums, alignment(statistics)));
    metrics.add(terms, objective.loss().beta(), weights, logProbs, statistics);
    return terms.loss().mul(inputs.weights()).sum();
  }

  /**
   * Goes back: adds the gradients of loss / divisor to those of the weights.
   *
   * @param divisor the weight of the whole step, of which this is a part, in units
   */
  void backward(double divisor) {
    loss.div(Tensors.scalar(divisor)).backward();
    Tensor none = Tensors.zerosLike(sums, sums.shape());
    Tensor bySums = sums.grad().defined() ? sums.grad() : none;
    Tensor byWeighted =
        !weighted.is_same(sums) && weighted.grad().defined() ? weighted.grad() : none;
    pass.backward(bySums, byWeighted);
  }

  private static double[] chosenScored(TokenStatistics statistics) {
    int[] tokens = statistics.tokens();
    return IntStream.range(0, tokens.length / 2).mapToDouble(i -> tokens[2 * i]).toArray();
  }

  /** The mean over tokens of each side, both sides added. */
  private static double[] alignment(TokenStatistics statistics) {
    double[] means = new double[statistics.tokens().length / 2];
    for (int i = 0; i < statistics.tokens().length; i++) {
      means[i / 2] += statistics.alignment()[i] / Math.max(1, statistics.tokens()[i]);
    }
    return means;
  }

  @Override
  public void close() {
    pass.close();
    scope.close();
  }
}
