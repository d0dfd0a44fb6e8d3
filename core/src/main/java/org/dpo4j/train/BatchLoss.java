package org.dpo4j.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.logprob.PairLogProbs;
import org.dpo4j.logprob.TokenStatistics;
import org.dpo4j.loss.FDivergence;
import org.dpo4j.loss.LossInputs;
import org.dpo4j.loss.LossTerms;
import org.dpo4j.loss.Objective;
import org.dpo4j.loss.PreferenceLoss;
import org.dpo4j.loss.TokenLoss;
import org.dpo4j.loss.UnpairedInputs;
import org.dpo4j.loss.UnpairedLoss;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * The loss of some examples and their metrics, by the kind of loss.
 *
 * @param loss scalar: the sum of weight times loss; gradients flow through it
 * @param metrics of each example, in order, as sums over that example alone
 */
record BatchLoss(Tensor loss, List<MetricSums> metrics) {

  /**
   * What the passes give.
   *
   * @param examples with trained completions alone
   * @param weights of the examples in the loss
   * @param unit divisor of the weights, which makes them representable in 32 bits
   * @param sums log-probabilities under the policy, shape (sequences)
   * @param weightedSums the same with token weights
   * @param reference log-probabilities under the reference, shape (sequences); null for none
   * @param statistics of the policy's pass
   * @param lengths tokens of each completion, shape (sequences)
   * @param kl estimate of the KL divergence, in nats; 0 for losses without it
   */
  @SuppressWarnings("ArrayRecordComponent") // read once, never compared
  record Inputs(
      List<EncodedExample> examples,
      double[] weights,
      double unit,
      Tensor sums,
      Tensor weightedSums,
      double @Nullable [] reference,
      TokenStatistics statistics,
      int[] lengths,
      double kl) {

    Tensor scaledWeights() {
      return Tensors.like(sums, Arrays.stream(weights).map(weight -> weight / unit).toArray());
    }

    private Tensor margins() {
      return Tensors.like(sums, examples.stream().mapToDouble(EncodedExample::margin).toArray());
    }

    private Tensor weighted(Tensor losses) {
      return losses.mul(scaledWeights()).sum();
    }
  }

  static BatchLoss of(Objective objective, Inputs inputs) {
    if (objective.loss() instanceof PreferenceLoss) {
      return ofPairs(objective, inputs);
    } else if (objective.loss() instanceof UnpairedLoss unpaired) {
      return ofLabelled(unpaired, inputs);
    }
    return ofDemonstrations((TokenLoss) objective.loss(), inputs);
  }

  private static BatchLoss ofPairs(Objective objective, Inputs inputs) {
    Tensor sums = inputs.sums();
    TokenStatistics statistics = inputs.statistics();
    PairLogProbs logProbs = PairLogProbs.ofSequences(inputs.weightedSums(), inputs.lengths());
    LossInputs pairs =
        new LossInputs(
            logProbs,
            inputs.reference() == null
                ? null
                : PairLogProbs.ofSequences(inputs.reference(), logProbs),
            FDivergence.NONE,
            sums.view(-1, 2).select(1, 0),
            Tensors.like(sums, chosenScored(statistics)),
            inputs.scaledWeights(),
            objective.loss().usesMargins() ? inputs.margins() : null);
    LossTerms terms = objective.terms(pairs, Tensors.like(sums, alignment(statistics)));
    return new BatchLoss(
        inputs.weighted(terms.loss()),
        ExampleFigures.of(terms, objective.loss().beta(), inputs.weights(), logProbs, statistics));
  }

  private static BatchLoss ofLabelled(UnpairedLoss loss, Inputs inputs) {
    boolean[] desirable = new boolean[inputs.examples().size()];
    double[] labels = new double[desirable.length];
    for (int i = 0; i < desirable.length; i++) {
      desirable[i] = inputs.examples().get(i).isDesirable();
      labels[i] = desirable[i] ? 1 : 0;
    }
    Tensor policy = inputs.sums();
    double[] reference = Objects.requireNonNull(inputs.reference());
    Tensor losses =
        loss.of(
            new UnpairedInputs(
                policy,
                Tensors.like(policy, reference),
                Tensors.like(policy, labels),
                inputs.kl()));
    double[] values = values(losses);
    double[] logProbs = values(policy);
    TokenStatistics statistics = inputs.statistics();
    List<MetricSums> metrics = new ArrayList<>();
    for (int i = 0; i < desirable.length; i++) {
      // In 32 bits, as the tensor operations of pairs compute it.
      double reward = (float) loss.beta() * ((float) logProbs[i] - (float) reference[i]);
      metrics.add(
          ExampleFigures.ofCompletion(
              desirable[i],
              inputs.weights()[i],
              values[i],
              reward,
              logProbs[i],
              inputs.kl(),
              statistics,
              i));
    }
    return new BatchLoss(inputs.weighted(losses), metrics);
  }

  private static BatchLoss ofDemonstrations(TokenLoss loss, Inputs inputs) {
    TokenStatistics statistics = inputs.statistics();
    double[] scored = Arrays.stream(statistics.tokens()).asDoubleStream().toArray();
    Tensor losses = loss.of(inputs.sums(), Tensors.like(inputs.sums(), scored));
    double[] values = values(losses);
    double[] logProbs = values(inputs.sums());
    List<MetricSums> metrics =
        IntStream.range(0, values.length)
            .mapToObj(
                i ->
                    ExampleFigures.ofCompletion(
                        true, inputs.weights()[i], values[i], 0, logProbs[i], 0, statistics, i))
            .toList();
    return new BatchLoss(inputs.weighted(losses), metrics);
  }

  private static double[] values(Tensor tensor) {
    try (TensorScope scope = TensorScope.open()) {
      return Tensors.toDoubles(tensor.detach());
    }
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
}
