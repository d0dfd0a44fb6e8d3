package org.dpo4j.logprob;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.dpo4j.Interruption;
import org.dpo4j.batch.ExampleBatch;
import org.dpo4j.batch.TokenBudget;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.model.CausalLm;
import org.dpo4j.ranks.Ranks;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/** Log-probabilities of the completions of every example under one model, as plain numbers. */
public final class LogProbTable {

  private final double[] values; // of one example after the other
  private final int completions;

  private LogProbTable(double[] values, int completions) {
    this.values = values;
    this.completions = completions;
  }

  /**
   * From plain numbers, such as those of a file.
   *
   * @param values log pi(y given x) of each completion, of one example after the other
   * @param completions of each example, at least 1
   */
  public static LogProbTable of(double[] values, int completions) {
    if (completions < 1 || values.length % completions != 0) {
      throw new IllegalArgumentException(
          "there must be %d values for each example but there are %d in all"
              .formatted(completions, values.length));
    }
    return new LogProbTable(values.clone(), completions);
  }

  /**
   * Of pairs.
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
    double[] values = new double[2 * chosen.length];
    for (int i = 0; i < chosen.length; i++) {
      values[2 * i] = chosen[i];
      values[2 * i + 1] = rejected[i];
    }
    return new LogProbTable(values, 2);
  }

  /** Cuts examples into batches: the end, exclusive, of the batch that starts at one. */
  @FunctionalInterface
  private interface Cut {
    int end(int from);
  }

  /**
   * Runs every example through the model once, without gradients, in batches of about the same
   * number of tokens.
   *
   * @param engine computes the forward passes
   * @param model not changed
   * @param examples the data set, all with as many completions
   * @param tail weights the tokens of a pair
   * @param budget limits the tokens of a batch
   * @param progress receives the number of examples done
   */
  public static LogProbTable compute(
      LogProbEngine engine,
      CausalLm model,
      List<EncodedExample> examples,
      LengthDesensitizing tail,
      TokenBudget budget,
      IntConsumer progress) {
    return compute(engine, model, examples, tail, budget, Ranks.alone(), progress);
  }

  /**
   * As above, with several ranks, of which each computes every n-th of the same batches: the table
   * has the same bytes as one that is computed alone.
   *
   * @param ranks all get the whole table
   */
  public static LogProbTable compute(
      LogProbEngine engine,
      CausalLm model,
      List<EncodedExample> examples,
      LengthDesensitizing tail,
      TokenBudget budget,
      Ranks ranks,
      IntConsumer progress) {
    return compute(
        engine, model, examples, tail, from -> budget.end(examples, from), ranks, progress);
  }

  /**
   * Runs every example through the model once, without gradients.
   *
   * @param engine computes the forward passes
   * @param model not changed
   * @param examples the data set, all with as many completions
   * @param tail weights the tokens of a pair
   * @param batchSize examples that go through together, at least 1
   * @param progress receives the number of examples done
   */
  public static LogProbTable compute(
      LogProbEngine engine,
      CausalLm model,
      List<EncodedExample> examples,
      LengthDesensitizing tail,
      int batchSize,
      IntConsumer progress) {
    return compute(
        engine,
        model,
        examples,
        tail,
        from -> from + Math.min(batchSize, examples.size() - from), // cannot overflow
        Ranks.alone(),
        progress);
  }

  private static LogProbTable compute(
      LogProbEngine engine,
      CausalLm model,
      List<EncodedExample> examples,
      LengthDesensitizing tail,
      Cut cut,
      Ranks ranks,
      IntConsumer progress) {
    int completions = examples.isEmpty() ? 1 : examples.get(0).completions().size();
    double[] values = new double[completions * examples.size()];
    int number = 0;
    for (int from = 0, to; from < examples.size(); from = to) {
      Interruption.check("after %d of %d examples were scored".formatted(from, examples.size()));
      to = cut.end(from);
      if (number++ % ranks.size() != ranks.rank()) {
        continue;
      }
      ExampleBatch batch = ExampleBatch.of(examples.subList(from, to));
      try (TensorScope scope = TensorScope.open();
          LogProbPass pass =
              engine.forward(model, batch.sequences(), tail, LogProbEngine.Purpose.SUMS)) {
        double[] sums = Tensors.toDoubles(pass.weightedSums());
        if (sums.length != completions * (to - from)) {
          throw new IllegalArgumentException(
              "all examples must have %d completions".formatted(completions));
        }
        System.arraycopy(sums, 0, values, completions * from, sums.length);
      }
      progress.accept(to);
    }
    return new LogProbTable(ranks.sum(values), completions);
  }

  /**
   * {@link #compute(LogProbEngine, CausalLm, List, LengthDesensitizing, int, IntConsumer)}, all
   * tokens counted fully.
   */
  public static LogProbTable compute(
      LogProbEngine engine,
      CausalLm model,
      List<EncodedExample> examples,
      int batchSize,
      IntConsumer progress) {
    return compute(engine, model, examples, LengthDesensitizing.NONE, batchSize, progress);
  }

  /** log pi(y given x) of each completion, of one example after the other. */
  public double[] values() {
    return values.clone();
  }

  /** How many examples there are. */
  public int size() {
    return values.length / completions;
  }

  /** How many completions each example has. */
  public int completions() {
    return completions;
  }

  /** log pi(y given x) of a completion of an example, in nats. */
  public double at(int example, int completion) {
    return values[completions * example + Objects.checkIndex(completion, completions)];
  }

  /** log pi(y given x) of all completions of an example, in nats. */
  public double[] of(int example) {
    return Arrays.copyOfRange(values, completions * example, completions * (example + 1));
  }

  /** log pi(y_w given x) of a pair, in nats. */
  public double chosen(int pair) {
    return at(pair, 0);
  }

  /** log pi(y_l given x) of a pair, in nats. */
  public double rejected(int pair) {
    return at(pair, 1);
  }

  /** Whether all log-probabilities of an example are finite. */
  public boolean finite(int example) {
    return Arrays.stream(of(example)).allMatch(Double::isFinite);
  }

  /** log pi(y_w given x) - log pi(y_l given x) of a pair, without a reference. */
  public double margin(int pair) {
    return chosen(pair) - rejected(pair);
  }

  /** The mean of {@link #margin} over all pairs. */
  public double meanMargin() {
    return IntStream.range(0, size()).mapToDouble(this::margin).average().orElse(Double.NaN);
  }
}
