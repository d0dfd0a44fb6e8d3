package org.dpo4j.run;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.dpo4j.DpoException;
import org.dpo4j.Interruption;
import org.dpo4j.batch.ExampleBatch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.batch.TokenBudget;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.evaluate.ModelScores;
import org.dpo4j.evaluate.PairScore;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbPass;
import org.dpo4j.logprob.TokenDivergence;
import org.dpo4j.model.CausalLm;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * Scores pairs as they come, in batches of the size of a reference pass. A pair takes about 100
 * bytes when it is scored.
 */
final class PairScorer {

  /** More pairs make a message unreadable. */
  private static final int MOST_SHOWN = 5;

  private final CausalLm model;
  private final @Nullable CausalLm reference;
  private final DivergenceSample sample;
  private final List<EncodedExample> waiting = new ArrayList<>();
  private final List<PairScore> scored = new ArrayList<>();

  /**
   * @param reference null for none
   * @param klTokens about how many tokens of chosen completions the divergence is measured on; 0
   *     for none
   */
  PairScorer(CausalLm model, @Nullable CausalLm reference, int klTokens) {
    this.model = model;
    this.reference = reference;
    this.sample = new DivergenceSample(klTokens);
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
    Interruption.check("after %d pairs were scored".formatted(scored.size()));
    List<EncodedExample> batch = List.copyOf(waiting.subList(0, end));
    FlatSequences sequences = ExampleBatch.of(batch).sequences();
    try (TensorScope scope = TensorScope.open();
        LogProbPass policy = forward(model, sequences);
        @Nullable LogProbPass frozen = reference == null ? null : forward(reference, sequences)) {
      if (frozen != null) {
        sample.add(
            chosen(sequences), one -> TokenDivergence.sum(policy, frozen, one.from(), one.to()));
      }
      double[] logProbs = Tensors.toDoubles(policy.sums());
      double @Nullable [] references = frozen == null ? null : Tensors.toDoubles(frozen.sums());
      for (int i = 0; i < batch.size(); i++) {
        EncodedExample pair = batch.get(i);
        scored.add(
            new PairScore(
                pair.origin(),
                pair.promptIds().length,
                pair.chosenIds().length,
                pair.rejectedIds().length,
                logProbs[2 * i],
                logProbs[2 * i + 1],
                references == null ? Double.NaN : references[2 * i],
                references == null ? Double.NaN : references[2 * i + 1]));
      }
    }
    waiting.subList(0, end).clear();
  }

  private static LogProbPass forward(CausalLm model, FlatSequences sequences) {
    return LogProbEngine.cpu()
        .forward(model, sequences, LengthDesensitizing.NONE, LogProbEngine.Purpose.SUMS);
  }

  /**
   * The chosen completions of the batch: of sequences 2i and 2i + 1, the first is the chosen one.
   */
  private List<DivergenceSample.Completion> chosen(FlatSequences sequences) {
    int[] sequenceOf = sequences.sequenceOf(); // ascending
    List<DivergenceSample.Completion> chosen = new ArrayList<>();
    for (int from = 0, to; from < sequenceOf.length; from = to) {
      to = from;
      while (to < sequenceOf.length && sequenceOf[to] == sequenceOf[from]) {
        to++;
      }
      if (sequenceOf[from] % 2 == 0) {
        chosen.add(new DivergenceSample.Completion(scored.size() + sequenceOf[from] / 2, from, to));
      }
    }
    return chosen;
  }

  /** The scores so far, in order. */
  List<PairScore> pairs() {
    return scored;
  }

  /** The divergence from the reference; empty if it was not measured. */
  Optional<ModelScores.Divergence> divergence() {
    return sample.divergence();
  }
}
