package org.dpo4j.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.SplittableRandom;
import java.util.function.DoubleConsumer;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: a temperature or nucleus that shifts the probabilities of tokens, which no single
 * completion shows; filters, or an order of them, that are not transformers'. Logits are logarithms
 * of probabilities, so that a test can state the shares. Cases are recorded by
 * src/test/python/record_sampling.py.
 */
class TokenSamplerTest {

  private static final int DRAWS = 40_000;

  /** Four standard deviations of a share: 4 sqrt(0.25 / 40,000). */
  private static final double NOISE = 0.01;

  @Test
  void withoutATemperatureTheMostProbableTokenIsTakenEachTime() {
    assertThat(shares(0, 1, 1, 5, 2)).containsExactly(0, 1, 0);
    assertThat(shares(0, 0.1, 1, 2, 5)).containsExactly(0, 0, 1);
    assertThat(shares(0, 1, 5, 1, 2)).containsExactly(1, 0, 0);
  }

  @Test
  void ofEquallyProbableTokensTheFirstIsTaken() {
    assertThat(shares(0, 1, 1, 3, 3)).containsExactly(0, 1, 0);
  }

  @Test
  void atTemperatureOneTokensHaveTheirProbabilities() {
    assertShares(shares(1, 1, 1, 6, 3), 0.1, 0.6, 0.3);
  }

  /** Probabilities to the power 1 / T: 1, 36 and 9 of 46; and 1, 2 and 3 of 6. */
  @Test
  void theTemperatureDividesTheLogits() {
    assertShares(shares(0.5, 1, 1, 6, 3), 1 / 46.0, 36 / 46.0, 9 / 46.0);
    assertShares(shares(2, 1, 1, 4, 9), 1 / 6.0, 2 / 6.0, 3 / 6.0);
  }

  /**
   * 0.5 and 0.3 are more than 0.7 together: 5/8 and 3/8. The order of the tokens does not matter.
   */
  @Test
  void theNucleusHoldsTheMostProbableTokens() {
    assertShares(shares(1, 0.7, 5, 30, 15, 50), 0, 3 / 8.0, 0, 5 / 8.0);
    assertShares(shares(1, 0.81, 5, 30, 15, 50), 0, 30 / 95.0, 15 / 95.0, 50 / 95.0);
    assertThat(shares(1, 0.01, 5, 30, 15, 50)).containsExactly(0, 0, 0, 1);
  }

  @Test
  void theNucleusEndsWhereItsProbabilityIsReachedExactly() {
    assertShares(shares(1, 0.5, 1, 1, 1, 1), 0.5, 0.5, 0, 0);
    assertShares(shares(1, 0.75, 1, 1, 1, 1), 1 / 3.0, 1 / 3.0, 1 / 3.0, 0);
  }

  @Test
  void theMostProbableTokensAreTakenByTheirNumber() {
    assertShares(shares(new TokenSampler(1, 1, 2), 5, 30, 15, 50), 0, 3 / 8.0, 0, 5 / 8.0);
    assertShares(shares(new TokenSampler(1, 1, 9), 5, 30, 15, 50), 0.05, 0.3, 0.15, 0.5);
    assertThat(shares(new TokenSampler(1, 1, 1), 5, 30, 15, 50)).containsExactly(0, 0, 0, 1);
    assertShares(shares(new TokenSampler(1, 1, 2), 2, 2, 2, 2), 0.5, 0.5, 0, 0);
  }

  /** Of 30 and 50, 50 is 5/8; of all tokens, it would be less than 0.6. */
  @Test
  void theNucleusIsTakenFromTheMostProbableTokens() {
    assertThat(shares(new TokenSampler(1, 0.6, 2), 5, 30, 15, 50)).containsExactly(0, 0, 0, 1);
    assertShares(shares(new TokenSampler(1, 0.6, 4), 5, 30, 15, 50), 0, 3 / 8.0, 0, 5 / 8.0);
  }

  /** exp(-1000) is 0 in 32 bits, and the quotient of the logits infinite. */
  @Test
  void aTinyTemperatureTakesTheMostProbableToken() {
    assertThat(shares(1e-45, 1, 1, 6, 3)).containsExactly(0, 1, 0);
  }

  @Test
  void onlyDifferencesBetweenLogitsMatter() {
    float[] logits = {1, 3, 2};
    float[] shifted = {1001, 1003, 1002};
    assertThat(draws(new TokenSampler(1, 1), logits))
        .isEqualTo(draws(new TokenSampler(1, 1), shifted));
  }

  @Test
  void logitsThatAreNotFiniteAreAnError() {
    for (float wrong : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
      for (int place = 0; place < 3; place++) {
        float[] logits = {1, 2, 3};
        logits[place] = wrong;
        String message =
            "the logits must be finite but that of token %d is %s".formatted(place, wrong);
        for (double temperature : new double[] {0, 1}) {
          assertThatThrownBy(() -> draws(new TokenSampler(temperature, 1), logits))
              .isInstanceOf(DpoException.class)
              .hasMessageStartingWith(message);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {-0.1, Double.NaN})
  void aNegativeTemperatureIsRefused(double temperature) {
    assertRefused(t -> new TokenSampler(t, 1), temperature, "temperature must not be negative");
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -0.1, 1.001, Double.NaN})
  void aNucleusOutsideZeroToOneIsRefused(double topP) {
    assertRefused(p -> new TokenSampler(1, p), topP, "topP must be in (0, 1]");
  }

  @Test
  void aNegativeNumberOfTokensIsRefused() {
    assertThatThrownBy(() -> new TokenSampler(1, 1, -1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("topK must not be negative but was -1");
  }

  /** Of 50, 30, 15 and 5, those above 0.25 times 50 are 50, 30 and 15. */
  @Test
  void tokensAreTakenByTheirRatioToTheMostProbable() {
    assertShares(
        shares(new TokenSampler(1, 1, 0, 0.25, 1), 5, 30, 15, 50),
        0,
        30 / 95.0,
        15 / 95.0,
        50 / 95.0);
    assertThat(shares(new TokenSampler(1, 1, 0, 1, 1), 5, 30, 15, 50)).containsExactly(0, 0, 0, 1);
    assertShares(shares(new TokenSampler(1, 1, 0, 1, 1), 2, 2, 1), 0.5, 0.5, 0);
  }

  /** 1 becomes 1/2 and -1 becomes -2: the positive logit is divided, the negative multiplied. */
  @Test
  void tokensThatWereThereBeforeBecomeLessProbable() {
    TokenSampler sampler = new TokenSampler(1, 1, 0, 0, 2);
    double[] expected = {Math.exp(0.5), Math.exp(-2), Math.exp(1), Math.exp(-1)};
    double sum = DoubleStream.of(expected).sum();
    float[] logits = {1, -1, 1, -1};
    double[] shares = new double[4];
    for (int token : draws(sampler, logits, 0, 1)) {
      shares[token] += 1.0 / DRAWS;
    }
    assertThat(shares)
        .containsExactly(DoubleStream.of(expected).map(e -> e / sum).toArray(), within(NOISE));
  }

  @Test
  void aPenaltyAlsoChangesTheMostProbableToken() {
    assertThat(draws(new TokenSampler(0, 1, 0, 0, 2), new float[] {3, 2}, 0)).containsOnly(1);
    assertThat(draws(new TokenSampler(0, 1, 0, 0, 2), new float[] {3, 2})).containsOnly(0);
    assertThat(draws(new TokenSampler(0, 1, 0, 0, 2), new float[] {-3, -4}, 0)).containsOnly(1);
  }

  /**
   * What transformers 5.23 draws from with the same settings, and how often. The statistic has a
   * mean of one less than the tokens, and its standard deviation is at most 6.2 for 20 tokens.
   */
  @ParameterizedTest
  @MethodSource
  void tokensAreDrawnFromTheDistributionOfTransformers(JsonNode recorded) {
    JsonNode settings = recorded.get("settings");
    TokenSampler sampler =
        new TokenSampler(
            settings.path("temperature").asDouble(1),
            settings.path("top_p").asDouble(1),
            settings.path("top_k").asInt(0),
            settings.path("min_p").asDouble(0),
            settings.path("repetition_penalty").asDouble(1));
    double[] logits = numbers(recorded.get("logits"));
    float[] narrow = new float[logits.length];
    for (int i = 0; i < narrow.length; i++) {
      narrow[i] = (float) logits[i];
    }
    int[] earlier =
        DoubleStream.of(numbers(recorded.get("earlier")))
            .mapToInt(d -> (int) d)
            .distinct()
            .toArray();
    double[] expected = numbers(recorded.get("probabilities"));
    int[] found = new int[expected.length];
    for (int token : draws(sampler, narrow, earlier)) {
      found[token]++;
    }
    double statistic = 0;
    for (int i = 0; i < expected.length; i++) {
      if (expected[i] == 0) {
        assertThat(found[i]).as("token %d is never drawn", i).isZero();
      } else if (expected[i] * DRAWS >= 5) {
        assertThat(found[i]).as("token %d is drawn", i).isPositive();
        double off = found[i] - expected[i] * DRAWS;
        statistic += off * off / (expected[i] * DRAWS);
      }
    }
    assertThat(statistic).as("Pearson's chi-square").isLessThan(19 + 4 * 6.2);
  }

  static Stream<JsonNode> tokensAreDrawnFromTheDistributionOfTransformers() {
    JsonNode recorded =
        JsonMapper.shared().readTree(Path.of("src/test/resources/fixtures/sampling.json"));
    assertThat(recorded.size()).isEqualTo(17);
    return recorded.valueStream();
  }

  private static double[] numbers(JsonNode list) {
    return list.valueStream().mapToDouble(JsonNode::asDouble).toArray();
  }

  @ParameterizedTest
  @ValueSource(doubles = {-0.1, 1.1, Double.NaN})
  void aRatioOutsideZeroToOneIsRefused(double minP) {
    assertRefused(p -> new TokenSampler(1, 1, 0, p, 1), minP, "minP must be in [0, 1]");
  }

  @ParameterizedTest
  @ValueSource(doubles = {-1, 0, 0.009, 101, Double.NaN})
  void aPenaltyThatOverflowsLogitsIsRefused(double penalty) {
    assertRefused(
        p -> new TokenSampler(1, 1, 0, 0, p),
        penalty,
        "repetitionPenalty must be from 0.01 to 100");
  }

  private static void assertRefused(DoubleConsumer making, double value, String message) {
    assertThatThrownBy(() -> making.accept(value))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message + " but was " + value);
  }

  /** How often each token is sampled, as a share of all draws. */
  private static double[] shares(double temperature, double topP, double... probabilities) {
    return shares(new TokenSampler(temperature, topP), probabilities);
  }

  private static double[] shares(TokenSampler sampler, double... probabilities) {
    float[] logits = new float[probabilities.length];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = (float) Math.log(probabilities[i]);
    }
    double[] shares = new double[probabilities.length];
    for (int token : draws(sampler, logits)) {
      shares[token] += 1.0 / DRAWS;
    }
    for (int i = 0; i < shares.length; i++) {
      shares[i] = Math.round(shares[i] * DRAWS) / (double) DRAWS;
    }
    return shares;
  }

  private static int[] draws(TokenSampler sampler, float[] logits, int... earlier) {
    SplittableRandom random = new SplittableRandom(7);
    float[] weights;
    try (TensorScope scope = TensorScope.open()) {
      Tensor row = Tensors.floats(logits).unsqueeze(0);
      TokenSampler.requireFinite(row);
      weights = sampler.weights(row, earlier);
    }
    return IntStream.range(0, DRAWS).map(i -> sampler.pick(weights, random)).toArray();
  }

  private static void assertShares(double[] found, double... expected) {
    assertThat(found).containsExactly(expected, within(NOISE));
    for (int i = 0; i < expected.length; i++) {
      assertThat(found[i] == 0).as("token %d is never sampled", i).isEqualTo(expected[i] == 0);
    }
  }
}
