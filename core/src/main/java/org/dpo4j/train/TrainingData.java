package org.dpo4j.train;

import java.util.List;
import java.util.OptionalLong;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.dpo4j.ExampleKind;
import org.dpo4j.TrainingMetrics;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.loss.Objective;
import org.dpo4j.model.CausalLm;
import org.dpo4j.reference.Reference;
import org.dpo4j.reference.ScoredExample;
import org.jspecify.annotations.Nullable;

/**
 * Examples with their reference.
 *
 * @param examples at least one; not copied, since they may be more than fit into memory
 * @param reference of the same examples; null for objectives without one
 * @param packs indices of the examples that form a row of a batch together; null if each is one
 */
public record TrainingData(
    List<EncodedExample> examples, @Nullable Reference reference, @Nullable List<int[]> packs) {

  /** Examples that are rows of a batch themselves. */
  public TrainingData(List<EncodedExample> examples, @Nullable Reference reference) {
    this(examples, reference, null);
  }

  public TrainingData {
    if (examples.isEmpty()) {
      throw new IllegalArgumentException("there must be at least one example");
    }
  }

  /**
   * Reads the examples of some rows of a batch.
   *
   * @param rows indices of packs, or of examples if there are no packs
   */
  List<ScoredExample> rows(int... rows) {
    return read(
        packs == null
            ? rows
            : IntStream.of(rows).flatMap(row -> IntStream.of(packs.get(row))).toArray());
  }

  /**
   * Reads each example once.
   *
   * @param indices of the examples, in [0, examples.size())
   */
  List<ScoredExample> read(int... indices) {
    return IntStream.of(indices)
        .mapToObj(
            index -> {
              EncodedExample example = examples.get(index);
              return reference == null
                  ? new ScoredExample(example, null)
                  : reference.scored(index, example);
            })
        .toList();
  }

  /**
   * Means over all examples, without gradients.
   *
   * @param batchSize examples that go through the model together, at least 1
   */
  public TrainingMetrics evaluate(
      LogProbEngine engine, CausalLm policy, Objective objective, int batchSize) {
    return evaluate(engine, policy, objective, batchSize, pairs -> {});
  }

  /**
   * Means over all examples, without gradients.
   *
   * @param batchSize examples that go through the model together, at least 1
   * @param numbers receives those of each pair, batch by batch; nothing of other examples
   */
  TrainingMetrics evaluate(
      LogProbEngine engine,
      CausalLm policy,
      Objective objective,
      int batchSize,
      Consumer<List<ExampleNumbers>> numbers) {
    MetricSums sums = MetricSums.NONE;
    for (int from = 0, to; from < examples.size(); from = to) {
      to = from + Math.min(batchSize, examples.size() - from); // no sum beyond an int
      List<ScoredExample> batch = teaching(objective, read(IntStream.range(from, to).toArray()));
      if (batch.isEmpty()) {
        continue;
      }
      try (MicroBatch microBatch =
          MicroBatch.forward(
              engine,
              policy,
              objective,
              reference,
              batch,
              largestWeight(objective, batch),
              KlEstimate.of(engine, policy, objective, reference, batch),
              LogProbEngine.Purpose.STATISTICS,
              OptionalLong.empty())) {
        sums = sums.plus(microBatch.metrics());
        if (objective.loss().examples() == ExampleKind.PAIRS) {
          numbers.accept(numbers(batch, microBatch.metrics()));
        }
      }
    }
    return sums.means(objective.loss().examples());
  }

  private static List<ExampleNumbers> numbers(List<ScoredExample> batch, List<MetricSums> metrics) {
    return IntStream.range(0, batch.size())
        .mapToObj(
            i -> ExampleNumbers.of(batch.get(i).example().origin(), metrics.get(i), Double.NaN))
        .toList();
  }

  /** The examples that change the loss: in a pack, one may have no token to learn. */
  static List<ScoredExample> teaching(Objective objective, List<ScoredExample> examples) {
    return examples.stream().filter(scored -> weight(objective, scored.example()) > 0).toList();
  }

  static double largestWeight(Objective objective, List<ScoredExample> examples) {
    return examples.stream()
        .mapToDouble(scored -> weight(objective, scored.example()))
        .max()
        .orElseThrow();
  }

  /**
   * The weight of an example in the mean loss of a step. A mean over tokens weighs it by its scored
   * tokens.
   */
  static double weight(Objective objective, EncodedExample example) {
    return objective.loss().examples() == ExampleKind.DEMONSTRATIONS
        ? example.weight() * example.scoredTokens()
        : example.weight();
  }
}
