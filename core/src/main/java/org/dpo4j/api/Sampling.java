package org.dpo4j.api;

/**
 * How to generate a completion.
 *
 * @param maxNewTokens length limit in tokens, at least 1; the context of the model is another limit
 * @param temperature divides the logits, at least 0; 0 always picks the most probable token
 * @param topP draws from the most probable tokens that together have this probability, in (0, 1];
 *     Holtzman et al. 2019, arXiv 1904.09751
 * @param seed of the random numbers; the same seed and prompt give the same completion
 */
public record Sampling(int maxNewTokens, double temperature, double topP, long seed) {

  /**
   * A way to sample.
   *
   * @param maxNewTokens at least 1
   * @param temperature at least 0
   * @param topP in (0, 1]
   * @param seed any number
   * @throws IllegalArgumentException if a number is out of its range
   */
  public Sampling {
    require(maxNewTokens >= 1, "maxNewTokens must be at least 1", maxNewTokens);
    require(
        temperature >= 0 && Double.isFinite(temperature),
        "temperature must not be negative",
        temperature);
    require(topP > 0 && topP <= 1, "topP must be in (0, 1]", topP);
  }

  private static void require(boolean holds, String rule, Number found) {
    if (!holds) {
      throw new IllegalArgumentException(rule + " but was " + found);
    }
  }

  /**
   * Always the most probable token.
   *
   * @param maxNewTokens length limit in tokens, at least 1
   * @return greedy sampling
   */
  public static Sampling greedy(int maxNewTokens) {
    return new Sampling(maxNewTokens, 0, 1, 0);
  }

  /**
   * Random tokens with the probabilities of the model, and seed 0.
   *
   * @param maxNewTokens length limit in tokens, at least 1
   * @param temperature above 0; 1 leaves the probabilities as they are
   * @return random sampling
   */
  public static Sampling random(int maxNewTokens, double temperature) {
    return new Sampling(maxNewTokens, temperature, 1, 0);
  }

  /**
   * The same with another {@link #topP}.
   *
   * @param newTopP in (0, 1]
   * @return a changed copy
   */
  public Sampling withTopP(double newTopP) {
    return new Sampling(maxNewTokens, temperature, newTopP, seed);
  }

  /**
   * The same with another {@link #seed}.
   *
   * @param newSeed any number
   * @return a changed copy
   */
  public Sampling withSeed(long newSeed) {
    return new Sampling(maxNewTokens, temperature, topP, newSeed);
  }
}
