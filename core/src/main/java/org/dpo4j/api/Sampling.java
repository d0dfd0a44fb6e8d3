package org.dpo4j.api;

import java.util.List;
import org.dpo4j.generate.TokenSampler;

/**
 * How to generate a completion. The filters are applied in this order, which is transformers':
 * repetition penalty, temperature, {@code topK}, {@code topP}, {@code minP}.
 *
 * @param maxNewTokens length limit in tokens, at least 1; the context of the model is another limit
 * @param temperature divides the logits, at least 0; 0 always picks the most probable token
 * @param topP draws from the most probable tokens that together have this probability, in (0, 1];
 *     Holtzman et al. 2019, arXiv 1904.09751
 * @param topK draws from this number of most probable tokens, at least 0; 0 for no limit. Fan et
 *     al. 2018, arXiv 1805.04833
 * @param minP draws from the tokens that are at least this times as probable as the most probable
 *     one, in [0, 1]; 0 keeps all. Nguyen et al. 2024, arXiv 2407.01082
 * @param repetitionPenalty divides the positive logits of the tokens of prompt and completion and
 *     multiplies their negative ones, from 0.01 to 100; 1 changes nothing. Keskar et al. 2019
 *     (CTRL), arXiv 1909.05858, section 4.1
 * @param stops texts of which the first to appear ends the completion and is left out of it; none
 *     is empty
 * @param seed of the random numbers; the same seed and prompt give the same completion
 */
public record Sampling(
    int maxNewTokens,
    double temperature,
    double topP,
    int topK,
    double minP,
    double repetitionPenalty,
    List<String> stops,
    long seed) {

  /**
   * A way to sample.
   *
   * @param maxNewTokens at least 1
   * @param temperature at least 0, and finite
   * @param topP in (0, 1]
   * @param topK at least 0
   * @param minP in [0, 1]
   * @param repetitionPenalty from 0.01 to 100
   * @param stops none is empty
   * @param seed any number
   * @throws IllegalArgumentException if a value is out of its range
   */
  public Sampling {
    require(maxNewTokens >= 1, "maxNewTokens must be at least 1", maxNewTokens);
    require(
        temperature < Double.POSITIVE_INFINITY, "temperature must be a finite number", temperature);
    TokenSampler unused = new TokenSampler(temperature, topP, topK, minP, repetitionPenalty);
    stops = List.copyOf(stops);
    require(!stops.contains(""), "stops must not have an empty text", stops);
  }

  private static void require(boolean holds, String rule, Object found) {
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
    return random(maxNewTokens, 0);
  }

  /**
   * Random tokens with the probabilities of the model, and seed 0.
   *
   * @param maxNewTokens length limit in tokens, at least 1
   * @param temperature above 0; 1 leaves the probabilities as they are
   * @return random sampling
   */
  public static Sampling random(int maxNewTokens, double temperature) {
    return new Sampling(maxNewTokens, temperature, 1, TokenSampler.ALL, 0, 1, List.of(), 0);
  }

  /**
   * The same with another {@link #maxNewTokens}.
   *
   * @param newMaxNewTokens at least 1
   * @return a changed copy
   */
  public Sampling withMaxNewTokens(int newMaxNewTokens) {
    return new Sampling(
        newMaxNewTokens, temperature, topP, topK, minP, repetitionPenalty, stops, seed);
  }

  /**
   * The same with another {@link #temperature}.
   *
   * @param newTemperature at least 0
   * @return a changed copy
   */
  public Sampling withTemperature(double newTemperature) {
    return new Sampling(
        maxNewTokens, newTemperature, topP, topK, minP, repetitionPenalty, stops, seed);
  }

  /**
   * The same with another {@link #topP}.
   *
   * @param newTopP in (0, 1]
   * @return a changed copy
   */
  public Sampling withTopP(double newTopP) {
    return new Sampling(
        maxNewTokens, temperature, newTopP, topK, minP, repetitionPenalty, stops, seed);
  }

  /**
   * The same with another {@link #topK}.
   *
   * @param newTopK at least 0; 0 for no limit
   * @return a changed copy
   */
  public Sampling withTopK(int newTopK) {
    return new Sampling(
        maxNewTokens, temperature, topP, newTopK, minP, repetitionPenalty, stops, seed);
  }

  /**
   * The same with another {@link #minP}.
   *
   * @param newMinP in [0, 1]; 0 keeps all tokens
   * @return a changed copy
   */
  public Sampling withMinP(double newMinP) {
    return new Sampling(
        maxNewTokens, temperature, topP, topK, newMinP, repetitionPenalty, stops, seed);
  }

  /**
   * The same with another {@link #repetitionPenalty}.
   *
   * @param newRepetitionPenalty from 0.01 to 100; 1 changes nothing
   * @return a changed copy
   */
  public Sampling withRepetitionPenalty(double newRepetitionPenalty) {
    return new Sampling(
        maxNewTokens, temperature, topP, topK, minP, newRepetitionPenalty, stops, seed);
  }

  /**
   * The same with other {@link #stops}.
   *
   * @param newStops none is empty
   * @return a changed copy
   */
  public Sampling withStops(List<String> newStops) {
    return new Sampling(
        maxNewTokens, temperature, topP, topK, minP, repetitionPenalty, newStops, seed);
  }

  /**
   * The same with another {@link #seed}.
   *
   * @param newSeed any number
   * @return a changed copy
   */
  public Sampling withSeed(long newSeed) {
    return new Sampling(
        maxNewTokens, temperature, topP, topK, minP, repetitionPenalty, stops, newSeed);
  }

  /** What draws the tokens. */
  TokenSampler tokens() {
    return new TokenSampler(temperature, topP, topK, minP, repetitionPenalty);
  }
}
