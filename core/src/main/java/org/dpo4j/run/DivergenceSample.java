package org.dpo4j.run;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import org.dpo4j.evaluate.ModelScores;

/**
 * The chosen completions on which the divergence of two models is measured: spread evenly over all
 * pairs, and about as many tokens for a million pairs as for a thousand, because the whole
 * vocabulary is computed for each token.
 */
final class DivergenceSample {

  /**
   * The chosen completion of a pair.
   *
   * @param pair number of the pair
   * @param from its first token among the scored tokens of the batch
   * @param to end of its tokens, exclusive
   */
  record Completion(int pair, int from, int to) {
    int tokens() {
      return to - from;
    }
  }

  private record Measured(Completion completion, double sum) {}

  private final int tokens;
  private final List<Measured> measured = new ArrayList<>();
  private final long pairs;
  private int stride; // 0 before the first batch

  /**
   * @param tokens to measure; at most twice as many are, unless one completion is longer. 0
   *     measures none
   * @param pairs about how many there are
   */
  DivergenceSample(int tokens, long pairs) {
    this.tokens = tokens;
    this.pairs = pairs;
  }

  /**
   * Measures those of a batch that belong to the sample: every n-th pair, where the lengths of the
   * first batch tell n. If there are too many tokens after all, every second is left out, and from
   * then on twice as many pairs are passed over.
   *
   * @param batch in the order of the pairs
   * @param sum gives the divergence summed over the tokens of a completion
   */
  void add(List<Completion> batch, ToDoubleFunction<Completion> sum) {
    if (tokens == 0) {
      return;
    }
    if (stride == 0) {
      stride = stride(batch);
    }
    List<Completion> chosen = new ArrayList<>(batch);
    chosen.removeIf(this::passedOver);
    while (measured.size() + chosen.size() > 1
        && tokens() + chosen.stream().mapToLong(Completion::tokens).sum() > 2L * tokens) {
      stride *= 2;
      measured.removeIf(one -> passedOver(one.completion));
      chosen.removeIf(this::passedOver);
    }
    for (Completion completion : chosen) {
      measured.add(new Measured(completion, sum.applyAsDouble(completion)));
    }
  }

  private int stride(List<Completion> batch) {
    double mean = batch.stream().mapToInt(Completion::tokens).average().orElse(0);
    return (int) Math.max(1, Math.min(1 << 30, pairs * mean / tokens));
  }

  private boolean passedOver(Completion completion) {
    return completion.pair % stride > 0;
  }

  private long tokens() {
    return measured.stream().mapToLong(one -> one.completion.tokens()).sum();
  }

  /** The divergence so far; empty if no token was measured. */
  Optional<ModelScores.Divergence> divergence() {
    double sum = measured.stream().mapToDouble(Measured::sum).sum();
    return tokens() == 0
        ? Optional.empty()
        : Optional.of(new ModelScores.Divergence(sum / tokens(), tokens(), measured.size()));
  }
}
