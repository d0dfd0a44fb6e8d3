package org.dpo4j.judge;

import java.util.Arrays;
import java.util.OptionalDouble;
import org.dpo4j.data.SampledPrompt;

/** Adds up the scores of completions. */
public final class AnswerTally {
  private final OptionalDouble leastGood;
  private int prompts;
  private long completions;
  private double scores;
  private double bestScores;
  private long passed;
  private int solved;
  private long tokens;
  private boolean tokensKnown = true;

  /**
   * @param leastGood the least score of a good completion; empty if nothing says it
   */
  public AnswerTally(OptionalDouble leastGood) {
    this.leastGood = leastGood;
  }

  /**
   * Adds the completions of a prompt.
   *
   * @param scores one for each
   */
  public void add(SampledPrompt prompt, double[] scores) {
    prompts++;
    completions += scores.length;
    this.scores += Arrays.stream(scores).sum();
    bestScores += Arrays.stream(scores).max().orElseThrow();
    long good = Arrays.stream(scores).filter(this::isGood).count();
    passed += good;
    solved += good > 0 ? 1 : 0;
    for (SampledPrompt.Completion completion : prompt.completions()) {
      tokensKnown &= completion.tokens() >= 0;
      tokens += completion.tokens();
    }
  }

  private boolean isGood(double score) {
    return leastGood.isPresent() && score >= leastGood.getAsDouble();
  }

  /** The totals of at least one prompt. */
  public AnswerFigures figures() {
    return new AnswerFigures(
        prompts,
        completions,
        scores / completions,
        bestScores / prompts,
        share(passed, completions),
        share(solved, prompts),
        tokensKnown ? OptionalDouble.of((double) tokens / completions) : OptionalDouble.empty());
  }

  private OptionalDouble share(long part, long whole) {
    return leastGood.isPresent()
        ? OptionalDouble.of((double) part / whole)
        : OptionalDouble.empty();
  }
}
