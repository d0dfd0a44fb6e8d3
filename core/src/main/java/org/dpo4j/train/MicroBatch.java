package org.dpo4j.train;

import java.util.List;
import java.util.OptionalLong;
import java.util.function.IntConsumer;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.ExampleBatch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbPass;
import org.dpo4j.loss.Objective;
import org.dpo4j.model.CausalLm;
import org.dpo4j.reference.Reference;
import org.dpo4j.reference.ScoredExample;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * Forward and backward pass of some examples. libtorch's autograd differentiates the loss with
 * respect to the log-probabilities of the completions; a {@link LogProbPass} continues from there
 * to the weights.
 */
final class MicroBatch implements AutoCloseable {

  private final TensorScope scope;
  private final LogProbPass pass;
  private final Tensor sums; // (sequences), a leaf
  private final Tensor weightedSums; // (sequences); the same tensor if tokens have no weights
  private final Tensor loss; // scalar: the sum of weight x loss
  private final List<MetricSums> metrics;
  private final double unit;

  private MicroBatch(
      double unit,
      TensorScope scope,
      LogProbPass pass,
      Tensor sums,
      Tensor weightedSums,
      Tensor loss,
      List<MetricSums> metrics) {
    this.unit = unit;
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
   * @param reference of the examples; null for objectives without one
   * @param unit divisor of the examples' weights, which makes them representable in 32 bits: the
   *     largest weight of the step
   * @param kl the {@link KlEstimate} of the whole micro-batch
   * @param dropoutSeed seed of the dropout masks; empty for a pass without dropout
   */
  static MicroBatch forward(
      LogProbEngine engine,
      CausalLm policy,
      Objective objective,
      @Nullable Reference reference,
      List<ScoredExample> examples,
      double unit,
      double kl,
      LogProbEngine.Purpose purpose,
      OptionalLong dropoutSeed) {
    List<ScoredExample> trained = examples.stream().map(ScoredExample::trained).toList();
    List<EncodedExample> encoded = trained.stream().map(ScoredExample::example).toList();
    FlatSequences sequences = ExampleBatch.of(encoded).sequences();
    double @Nullable [] referenceLogProbs =
        reference == null ? null : reference.logProbs(trained, sequences);
    TensorScope scope = TensorScope.open();
    LogProbPass pass = null;
    try {
      pass = engine.forward(policy, sequences, objective.tail(), purpose, dropoutSeed);
      Tensor sums = pass.sums().set_requires_grad(true);
      Tensor weightedSums =
          objective.tail().equals(LengthDesensitizing.NONE)
              ? sums
              : pass.weightedSums().set_requires_grad(true);
      BatchLoss computed =
          BatchLoss.of(
              objective,
              new BatchLoss.Inputs(
                  encoded,
                  encoded.stream()
                      .mapToDouble(example -> TrainingData.weight(objective, example))
                      .toArray(),
                  unit,
                  sums,
                  weightedSums,
                  referenceLogProbs,
                  pass.tokens(),
                  sequences.lengths(),
                  kl));
      double routerLoss = pass.routerLoss();
      List<MetricSums> metrics =
          computed.metrics().stream().map(sum -> sum.withRouterLoss(routerLoss)).toList();
      return new MicroBatch(unit, scope, pass, sums, weightedSums, computed.loss(), metrics);
    } catch (RuntimeException | Error e) {
      if (pass != null) {
        pass.close();
      }
      scope.close();
      throw e;
    }
  }

  /** The metrics of each example, in order. */
  List<MetricSums> metrics() {
    return metrics;
  }

  /**
   * Runs the backward pass: adds the gradients of loss / divisor to those of the weights.
   *
   * @param divisor weight of the whole step that contains this micro-batch, in units
   * @param blockDone as in {@link LogProbPass}
   */
  void backward(double divisor, IntConsumer blockDone) {
    double weight = metrics.stream().mapToDouble(MetricSums::weight).sum() / unit;
    loss.div(Tensors.scalar(divisor)).backward();
    Tensor zeros = Tensors.zerosLike(sums, sums.shape());
    Tensor bySums = sums.grad().defined() ? sums.grad() : zeros;
    Tensor byWeightedSums =
        !weightedSums.is_same(sums) && weightedSums.grad().defined() ? weightedSums.grad() : zeros;
    pass.backward(bySums, byWeightedSums, weight / divisor, blockDone);
  }

  /**
   * The derivative of each pair's own loss with respect to log pi(y_w given x), after the backward
   * pass.
   *
   * @param divisor as in {@link #backward}
   */
  double[] byChosen(double divisor) {
    double[] each = gradients(sums);
    if (!weightedSums.is_same(sums)) {
      double[] weighted = gradients(weightedSums);
      for (int i = 0; i < each.length; i++) {
        each[i] += weighted[i];
      }
    }
    double[] chosen = new double[metrics.size()];
    for (int i = 0; i < chosen.length; i++) {
      chosen[i] = each[2 * i] * divisor * unit / metrics.get(i).weight();
    }
    return chosen;
  }

  private static double[] gradients(Tensor leaf) {
    return leaf.grad().defined() ? Tensors.toDoubles(leaf.grad()) : new double[(int) leaf.numel()];
  }

  @Override
  public void close() {
    pass.close();
    scope.close();
  }
}
