package org.dpo4j.train;

import java.util.List;
import java.util.OptionalLong;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.FlatSequences;
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
import org.dpo4j.reference.Reference;
import org.dpo4j.reference.ScoredPair;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * Forward and backward pass of some pairs. libtorch's autograd differentiates the loss with respect
 * to the log-probabilities of the completions; a {@link LogProbPass} continues from there to the
 * weights.
 */
final class MicroBatch implements AutoCloseable {

  private final TensorScope scope;
  private final LogProbPass pass;
  private final Tensor sums; // (2 x pairs), a leaf
  private final Tensor weightedSums; // (2 x pairs); the same tensor if tokens have no weights
  private final Tensor loss; // scalar: the sum of weight x loss
  private final List<MetricSums> metrics;

  private MicroBatch(
      TensorScope scope,
      LogProbPass pass,
      Tensor sums,
      Tensor weightedSums,
      Tensor loss,
      List<MetricSums> metrics) {
    this.scope = scope;
    this.pass = pass;
    this.sums = sums;
    this.weightedSums = weightedSums;
    this.loss = loss;
    this.metrics = metrics;
  }

  /**
   * Runs the forward pass.
   *
   * @param reference of the pairs; null for objectives without one
   * @param unit divisor of the pairs' weights, which makes them representable in 32 bits: the
   *     largest weight of the step
   * @param dropoutSeed seed of the dropout masks; empty for a pass without dropout
   */
  static MicroBatch forward(
      LogProbEngine engine,
      CausalLm policy,
      Objective objective,
      @Nullable Reference reference,
      List<ScoredPair> pairs,
      double unit,
      LogProbEngine.Purpose purpose,
      OptionalLong dropoutSeed) {
    FlatSequences sequences =
        PreferenceBatch.of(pairs.stream().map(ScoredPair::pair).toList()).sequences();
    double @Nullable [] referenceLogProbs =
        reference == null ? null : reference.logProbs(pairs, sequences);
    double[] weights = pairs.stream().mapToDouble(pair -> pair.pair().weight()).toArray();
    TensorScope scope = TensorScope.open();
    LogProbPass pass = null;
    try {
      pass = engine.forward(policy, sequences, objective.tail(), purpose, dropoutSeed);
      Tensor sums = pass.sums().set_requires_grad(true);
      Tensor weightedSums =
          objective.tail().equals(LengthDesensitizing.NONE)
              ? sums
              : pass.weightedSums().set_requires_grad(true);
      PairLogProbs logProbs = PairLogProbs.ofSequences(weightedSums, sequences.lengths());
      TokenStatistics statistics = pass.tokens();
      LossInputs inputs =
          new LossInputs(
              logProbs,
              referenceLogProbs == null
                  ? null
                  : PairLogProbs.ofSequences(referenceLogProbs, logProbs),
              FDivergence.NONE,
              sums.view(-1, 2).select(1, 0),
              Tensors.like(sums, chosenScored(statistics)),
              Tensors.like(sums, divided(weights, unit)));
      LossTerms terms = objective.terms(inputs, Tensors.like(sums, alignment(statistics)));
      return new MicroBatch(
          scope,
          pass,
          sums,
          weightedSums,
          terms.loss().mul(inputs.weights()).sum(),
          PairFigures.of(terms, objective.loss().beta(), weights, logProbs, statistics));
    } catch (RuntimeException | Error e) {
      if (pass != null) {
        pass.close();
      }
      scope.close();
      throw e;
    }
  }

  /** The metrics of each pair, in order. */
  List<MetricSums> metrics() {
    return metrics;
  }

  /**
   * Runs the backward pass: adds the gradients of loss / divisor to those of the weights.
   *
   * @param divisor weight of the whole step that contains this micro-batch, in units
   */
  void backward(double divisor) {
    loss.div(Tensors.scalar(divisor)).backward();
    Tensor zeros = Tensors.zerosLike(sums, sums.shape());
    Tensor bySums = sums.grad().defined() ? sums.grad() : zeros;
    Tensor byWeightedSums =
        !weightedSums.is_same(sums) && weightedSums.grad().defined() ? weightedSums.grad() : zeros;
    pass.backward(bySums, byWeightedSums);
  }

  private static double[] divided(double[] values, double divisor) {
    return IntStream.range(0, values.length).mapToDouble(i -> values[i] / divisor).toArray();
  }

  private static double[] chosenScored(TokenStatistics statistics) {
    int[] tokens = statistics.tokens();
    return IntStream.range(0, tokens.length / 2).mapToDouble(i -> tokens[2 * i]).toArray();
  }

  /** For each pair the mean over the chosen tokens plus the mean over the rejected tokens. */
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
