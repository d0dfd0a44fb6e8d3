package org.dpo4j.logprob;

import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.dpo4j.Interruption;
import org.dpo4j.batch.PreferenceBatch;
import org.dpo4j.batch.TokenBudget;
import org.dpo4j.encode.EncodedPair;
import org.dpo4j.model.CausalLm;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/** Log-probabilities of every pair of a data set under one model, as plain numbers. */
public final class LogProbTable {

  private final double[] chosen;
  private final double[] rejected;

  private LogProbTable(double[] chosen, double[] rejected) {
    this.chosen = chosen;
    this.rejected = rejected;
  }

  /**
   * From plain numbers, such as those of a file.
   *
   * @param chosen log pi(y_w given x) of each pair
   * @param rejected log pi(y_l given x) of each pair, same length
   */
  public static LogProbTable of(double[] chosen, double[] rejected) {
    if (chosen.length != rejected.length) {
      throw new IllegalArgumentException(
          "there must be as many chosen as rejected but there are %d and %d"
              .formatted(chosen.length, rejected.length));
    }
    return new LogProbTable(chosen.clone(), rejected.clone());
  }

  /** Cuts pairs into batches: the end, exclusive, of the batch that starts at a pair. */
  @FunctionalInterface
  private interface Cut {
    int end(int from);
  }

  /**
   * Runs every pair through the model once, without gradients, in batches of about the same number
   * of tokens.
   *
   * @param engine computes the forward passes
   * @param model not changed
   * @param pairs the data set
   * @param tail weights the tokens of a pair
   * @param budget limits the tokens of a batch
   * @param progress receives the number of pairs done
   */
  public static LogProbTable compute(
      LogProbEngine engine,
      CausalLm model,
      List<EncodedPair> pairs,
      LengthDesensitizing tail,
      TokenBudget budget,
      IntConsumer progress) {
    return compute(engine, model, pairs, tail, from -> budget.end(pairs, from), progress);
  }

  /**
   * Runs every pair through the model once, without gradients.
   *
   * @param engine computes the forward passes
   * @param model not changed
   * @param pairs the data set
   * @param tail weights the tokens of a pair
   * @param batchSize pairs that go through together, at least 1
   * @param progress receives the number of pairs done
   */
  public static LogProbTable compute(
      LogProbEngine engine,
      CausalLm model,
      List<EncodedPair> pairs,
      LengthDesensitizing tail,
      int batchSize,
      IntConsumer progress) {
    return compute(
        engine,
        model,
        pairs,
        tail,
        from -> from + Math.min(batchSize, pairs.size() - from), // cannot overflow
        progress);
  }

  private static LogProbTable compute(
      LogProbEngine engine,
      CausalLm model,
      List<EncodedPair> pairs,
      LengthDesensitizing tail,
      Cut cut,
      IntConsumer progress) {
    double[] chosen = new double[pairs.size()];
    double[] rejected = new double[pairs.size()];
    for (int from = 0, to; from < pairs.size(); from = to) {
      Interruption.check("after %d of %d pairs were scored".formatted(from, pairs.size()));
      to = cut.end(from);
      PreferenceBatch batch = PreferenceBatch.of(pairs.subList(from, to));
      try (TensorScope scope = TensorScope.open();
          LogProbPass pass =
              engine.forward(model, batch.sequences(), tail, LogProbEngine.Purpose.SUMS)) {
        double[] sums = Tensors.toDoubles(pass.weightedSums());
        for (int i = from; i < to; i++) {
          chosen[i] = sums[2 * (i - from)];
          rejected[i] = sums[2 * (i - from) + 1];
        }
      }
      progress.accept(to);
    }
    return new LogProbTable(chosen, rejected);
  }

  /**
   * {@link #compute(LogProbEngine, CausalLm, List, LengthDesensitizing, int, IntConsumer)}, all
   * tokens counted fully.
   */
  public static LogProbTable compute(
      LogProbEngine engine,
      CausalLm model,
      List<EncodedPair> pairs,
      int batchSize,
      IntConsumer progress) {
    return compute(engine, model, pairs, LengthDesensitizing.NONE, batchSize, progress);
  }

  /** How many pairs there are. */
  public int size() {
    return chosen.length;
  }

  /** log pi(y_w given x) of a pair, in nats. */
  public double chosen(int pair) {
    return chosen[pair];
  }

  /** log pi(y_l given x) of a pair, in nats. */
  public double rejected(int pair) {
    return rejected[pair];
  }

  /** Whether both log-probabilities of a pair are finite. */
  public boolean finite(int pair) {
    return Double.isFinite(chosen[pair]) && Double.isFinite(rejected[pair]);
  }

  /** log pi(y_w given x) - log pi(y_l given x) of a pair, without a reference. */
  public double margin(int pair) {
    return chosen[pair] - rejected[pair];
  }

  /** The mean of {@link #margin} over all pairs. */
  public double meanMargin() {
    return IntStream.range(0, size()).mapToDouble(this::margin).average().orElse(Double.NaN);
  }
}
