package org.dpo4j.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.dpo4j.Closeness.relative;

import java.util.Random;
import org.dpo4j.model.ParameterSource.Kind;
import org.dpo4j.model.Parameters;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.Engine;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Closes: an update that differs from PyTorch's in order, bias correction or decay. The expected
 * weights come from PyTorch's documented algorithm in plain Java, in double precision.
 */
class AdamWTest {

  /** A bias before a matrix, so that the order in memory is not the order of the model. */
  private static final Kind[] KINDS = {
    Kind.BIAS, Kind.MATRIX, Kind.NORM, Kind.EMBEDDING, Kind.NORM_BIAS
  };

  /** The matrix spans several pieces of the update, and each thread has some. */
  private static final int[] SIZES = {3, 2 * FlatParameters.PIECE + 1000, 5, 7, 2};

  /** One weight as the algorithm has it. */
  private static final class Plain {
    double weight;
    double mean;
    double square;

    void step(double gradient, int t, double rate, AdamW.Settings s, boolean decays) {
      weight -= decays ? rate * s.weightDecay() * weight : 0;
      mean = s.beta1() * mean + (1 - s.beta1()) * gradient;
      square = s.beta2() * square + (1 - s.beta2()) * gradient * gradient;
      double meanHat = mean / (1 - Math.pow(s.beta1(), t));
      double squareHat = square / (1 - Math.pow(s.beta2(), t));
      weight -= rate * meanHat / (Math.sqrt(squareHat) + s.epsilon());
    }
  }

  @AfterEach
  void allThreadsAgain() {
    Engine.setThreads(0);
  }

  @ParameterizedTest
  @CsvSource({
    "0.9, 0.999, 1e-8, 0",
    "0.9, 0.999, 1e-8, 0.1",
    "0.8, 0.95, 1e-3, 0.5",
    "0, 0, 1e-6, 0"
  })
  void severalStepsAreThoseOfPyTorch(double beta1, double beta2, double epsilon, double decay) {
    Engine.setThreads(2);
    AdamW.Settings settings = new AdamW.Settings(beta1, beta2, epsilon, decay);
    Random random = new Random(3);
    try (Parameters parameters = parameters(random)) {
      Plain[][] plain = plain(parameters);
      try (FlatParameters flat = FlatParameters.of(parameters);
          AdamW adamW = new AdamW(flat, settings)) {
        for (int t = 1; t <= 5; t++) {
          double rate = 0.01 * t;
          double[][] gradients = new double[KINDS.length][];
          for (int i = 0; i < KINDS.length; i++) {
            gradients[i] = random.doubles(SIZES[i], -2, 2).toArray();
            try (TensorScope scope = TensorScope.open()) {
              parameters.all().get(i).tensor().grad().view(-1).copy_(Tensors.doubles(gradients[i]));
            }
          }
          adamW.step(rate);
          for (int i = 0; i < KINDS.length; i++) {
            for (int j = 0; j < SIZES[i]; j++) {
              boolean decays = KINDS[i] == Kind.MATRIX || KINDS[i] == Kind.EMBEDDING;
              plain[i][j].step(gradients[i][j], t, rate, settings, decays);
            }
          }
        }
      }
      for (int i = 0; i < KINDS.length; i++) {
        double[] expected = java.util.Arrays.stream(plain[i]).mapToDouble(p -> p.weight).toArray();
        double[] found = Tensors.toDoubles(parameters.all().get(i).tensor());
        assertThat(largestDifference(found, expected)).as(KINDS[i].name()).isLessThan(1e-13);
      }
    }
  }

  /** With a gradient of 0 only decay moves a weight: w (1 - 0.1 x 0.5). */
  @Test
  void decaySparesBiasesAndNorms() {
    try (Parameters parameters = parameters(new Random(4))) {
      Plain[][] before = plain(parameters);
      try (FlatParameters flat = FlatParameters.of(parameters);
          AdamW adamW = new AdamW(flat, new AdamW.Settings(0.9, 0.999, 1e-8, 0.5))) {
        adamW.step(0.1);
      }
      for (int i = 0; i < KINDS.length; i++) {
        double factor = KINDS[i] == Kind.MATRIX || KINDS[i] == Kind.EMBEDDING ? 0.95 : 1;
        assertThat(Tensors.toDoubles(parameters.all().get(i).tensor())[1])
            .as(KINDS[i].name())
            .usingComparator(relative(1e-15))
            .isEqualTo(before[i][1].weight * factor);
      }
    }
  }

  /** (3, 4, 0) has norm 5, a fifth of which is 1. */
  @Test
  void theFactorScalesTheWholeGradientDownToTheNorm() {
    try (Parameters parameters = new Parameters()) {
      parameters.take(source(new Random(1)), "b", Kind.BIAS, 2);
      parameters.take(source(new Random(1)), "m", Kind.MATRIX, 1, 1);
      try (FlatParameters flat = FlatParameters.of(parameters);
          TensorScope scope = TensorScope.open()) {
        parameters.all().get(0).tensor().grad().copy_(Tensors.doubles(3, 4));
        assertThat(flat.gradientNorm()).isEqualTo(5);
        assertThat(FlatParameters.clip(5, 0)).isEqualTo(1);
        assertThat(FlatParameters.clip(5, 5.5)).isEqualTo(1);
        assertThat(FlatParameters.clip(5, 1)).usingComparator(relative(1e-6)).isEqualTo(0.2);
      }
    }
  }

  @Test
  void constantsOutsideTheirRangeAreRefused() {
    assertThatThrownBy(() -> new AdamW.Settings(1, 0.9, 0, 0)).hasMessageContaining("1.0 and 0.9");
    assertThatThrownBy(() -> new AdamW.Settings(0.9, Double.NaN, 0, 0)).hasMessageContaining("NaN");
    assertThatThrownBy(() -> new AdamW.Settings(0.9, 0.9, -1, 0)).hasMessageContaining("-1.0");
    assertThatThrownBy(() -> new AdamW.Settings(0.9, 0.9, 0, -2)).hasMessageContaining("-2.0");
  }

  private static Parameters parameters(Random random) {
    Parameters parameters = new Parameters();
    for (int i = 0; i < KINDS.length; i++) {
      parameters.take(source(random), "p" + i, KINDS[i], SIZES[i]);
    }
    return parameters;
  }

  private static org.dpo4j.model.ParameterSource source(Random random) {
    return (name, kind, shape) -> {
      try (TensorScope scope = TensorScope.open()) {
        long count = java.util.Arrays.stream(shape).reduce(1, (a, b) -> a * b);
        return scope.disown(
            Tensors.zeros(ElementType.F64, shape)
                .copy_(Tensors.doubles(random.doubles(count, -1, 1).toArray()).view(shape)));
      }
    };
  }

  private static Plain[][] plain(Parameters parameters) {
    Plain[][] plain = new Plain[KINDS.length][];
    for (int i = 0; i < KINDS.length; i++) {
      double[] values = Tensors.toDoubles(parameters.all().get(i).tensor());
      plain[i] = new Plain[values.length];
      for (int j = 0; j < values.length; j++) {
        plain[i][j] = new Plain();
        plain[i][j].weight = values[j];
      }
    }
    return plain;
  }

  private static double largestDifference(double[] found, double[] expected) {
    assertThat(found).hasSameSizeAs(expected);
    double largest = 0;
    for (int j = 0; j < found.length; j++) {
      largest = Math.max(largest, Math.abs(found[j] - expected[j]));
    }
    return largest;
  }
}
