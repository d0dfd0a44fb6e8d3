package org.dpo4j.run;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dpo4j.DpoException;
import org.dpo4j.batch.ExampleBatch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.batch.TokenBudget;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.evaluate.ModelScores;
import org.dpo4j.evaluate.PairScore;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.logprob.TokenDivergence;
import org.dpo4j.model.CausalLm;

/**
 * Scores pairs as they come, in batches of the size of a reference pass. A pair takes about 100
 * bytes when it is scored.
 */
final class PairScorer {

  /** More pairs make a message unreadable. */
  private static final int MOST_SHOWN = 5;

  private final CausalLm model;
  private final Optional<CausalLm> reference;
  private final int klTokens;
  private final List<EncodedExample> waiting = new ArrayList<>();
  private final List<PairScore> scored = new ArrayList<>();
  private final List<Measured> measured = new ArrayList<>();
  private int stride = 1;

  /** The divergence on a chosen completion. */
  private record Measured(int pair, double sum, int tokens) {}

  /**
   * @param klTokens about how many tokens of chosen completions the divergence is measured on; 0
   *     for none
   */
  PairScorer(CausalLm model, Optional<CausalLm> reference, int klTokens) {
    this.model = model;
    this.reference = reference;
    this.klTokens = klTokens;
  }

  /** Adds a pair; the scores of all before the current batch are in {@link #pairs}. */
  void add(EncodedExample pair) {
    waiting.add(pair);
    int end = TokenBudget.DEFAULT.end(waiting, 0);
    if (end < waiting.size()) {
      flush(end);
    }
  }

  /**
   * Scores the pairs of the last batch.
   *
   * @throws DpoException if a log-probability is not finite
   */
  void finish() {
    if (!waiting.isEmpty()) {
      flush(waiting.size());
    }
    List<PairScore> bad = scored.stream().filter(pair -> !pair.finite()).toList();
    if (!bad.isEmpty()) {
      throw new DpoException(
          "log-probabilities must be finite but are not on %d of %d pairs (%s); look at these rows with inspect, or at the weights of the model"
              .formatted(
                  bad.size(),
                  scored.size(),
                  bad.stream()
                      .limit(MOST_SHOWN)
                      .map(pair -> pair.origin().toString())
                      .collect(Collectors.joining(", "))));
    }
  }

  private void flush(int end) {
    List<EncodedExample> batch = List.copyOf(waiting.subList(0, end));
    LogProbTable policy = compute(model, batch);
    Optional<LogProbTable> frozen = reference.map(other -> compute(other, batch));
    measure(batch);
    for (int i = 0; i < batch.size(); i++) {
      EncodedExample pair = batch.get(i);
      int index = i;
      scored.add(
          new PairScore(
              pair.origin(),
              pair.promptIds().length,
              pair.chosenIds().length,
              pair.rejectedIds().length,
              policy.chosen(i),
              policy.rejected(i),
              frozen.map(table -> table.chosen(index)).orElse(Double.NaN),
              frozen.map(table -> table.rejected(index)).orElse(Double.NaN)));
    }
    waiting.subList(0, end).clear();
  }

  private static LogProbTable compute(CausalLm model, List<EncodedExample> batch) {
    return LogProbTable.compute(
        LogProbEngine.cpu(),
        model,
        batch,
        LengthDesensitizing.NONE,
        TokenBudget.DEFAULT,
        done -> {});
  }

  /**
   * Measures every pair at first. When there are enough tokens, every second measured pair is left
   * out, and from then on twice as many are passed over, so that the rest is spread evenly.
   */
  private void measure(List<EncodedExample> batch) {
    int first = scored.size();
    List<Integer> numbers =
        IntStream.range(first, first + batch.size())
            .filter(number -> number % stride == 0)
            .boxed()
            .toList();
    if (reference.isEmpty() || klTokens == 0 || numbers.isEmpty()) {
      return;
    }
    FlatSequences chosen =
        ExampleBatch.of(
                numbers.stream()
                    .map(number -> batch.get(number - first))
                    .map(pair -> pair.only(role -> role == CompletionRole.CHOSEN))
                    .toList())
            .sequences();
    double[] sums = TokenDivergence.of(model, reference.get(), chosen);
    int[] tokens = new int[sums.length];
    for (int sequence : chosen.sequenceOf()) {
      tokens[sequence]++;
    }
    for (int i = 0; i < sums.length; i++) {
      measured.add(new Measured(numbers.get(i), sums[i], tokens[i]));
    }
    while (measured.size() > 1 && tokens() > 2L * klTokens) {
      stride *= 2;
      measured.removeIf(one -> one.pair % stride != 0);
    }
  }

  private long tokens() {
    return measured.stream().mapToLong(Measured::tokens).sum();
  }

  /** The scores so far, in order. */
  List<PairScore> pairs() {
    return scored;
  }

  /** The divergence from the reference; empty if it was not measured. */
  Optional<ModelScores.Divergence> divergence() {
    double sum = measured.stream().mapToDouble(Measured::sum).sum();
    return tokens() == 0
        ? Optional.empty()
        : Optional.of(new ModelScores.Divergence(sum / tokens(), tokens(), measured.size()));
  }
}
