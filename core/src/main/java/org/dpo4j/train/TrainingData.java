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
import org.dpo4j.ranks.Ranks;
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

  /** Batches of an evaluation after which the ranks exchange their numbers. */
  private static final int BATCHES_OF_RANK = 16;

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
    return evaluate(engine, policy, objective, batchSize, Ranks.alone(), pairs -> {});
  }

  /**
   * Means over all examples, without gradients.
   *
   * @param batchSize examples that go through the model together, at least 1
   * @param ranks divide the batches among themselves; all get the same means
   * @param numbers receives those of each pair, in order; nothing of other examples
   */
  TrainingMetrics evaluate(
      LogProbEngine engine,
      CausalLm policy,
      Objective objective,
      int batchSize,
      Ranks ranks,
      Consumer<List<ExampleNumbers>> numbers) {
    MetricSums sums = MetricSums.NONE;
    long block = (long) batchSize * (ranks.several() ? BATCHES_OF_RANK * ranks.size() : 1);
    for (int from = 0, to; from < examples.size(); from = to) {
      to = (int) Math.min(from + block, examples.size());
      List<ScoredExample> all = read(IntStream.range(from, to).toArray());
      StepFigures figures = new StepFigures(all.size());
      for (int batch = 0; batch * (long) batchSize < all.size(); batch++) {
        if (batch % ranks.size() == ranks.rank()) {
          int first = batch * batchSize;
          int end = (int) Math.min(first + (long) batchSize, all.size());
          evaluate(engine, policy, objective, all.subList(first, end), first, figures);
        }
      }
      figures.exchange(ranks);
      sums = figures.addTo(sums);
      List<ExampleNumbers> pairs = figures.pairs(all, objective.loss().examples());
      if (!pairs.isEmpty()) {
        numbers.accept(pairs);
      }
    }
    return sums.means(objective.loss().examples());
  }

  private void evaluate(
      LogProbEngine engine,
      CausalLm policy,
      Objective objective,
      List<ScoredExample> examplesOfBatch,
      int firstPlace,
      StepFigures figures) {
    int[] places = teachingPlaces(objective, examplesOfBatch);
    if (places.length == 0) {
      return;
    }
    List<ScoredExample> batch = IntStream.of(places).mapToObj(examplesOfBatch::get).toList();
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
      for (int i = 0; i < places.length; i++) {
        figures.set(firstPlace + places[i], microBatch.metrics().get(i), Double.NaN);
      }
    }
  }

  /** The examples that change the loss: in a pack, one may have no token to learn. */
  static List<ScoredExample> teaching(Objective objective, List<ScoredExample> examples) {
    return IntStream.of(teachingPlaces(objective, examples)).mapToObj(examples::get).toList();
  }

  /** The places of {@link #teaching} examples among all of them. */
  static int[] teachingPlaces(Objective objective, List<ScoredExample> examples) {
    return IntStream.range(0, examples.size())
        .filter(i -> weight(objective, examples.get(i).example()) > 0)
        .toArray();
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
