package org.dpo4j.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dpo4j.Closeness.relative;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.ParameterSource.Kind;
import org.dpo4j.model.Parameters;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.Engine;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: an optimizer whose steps are not those of its algorithm, depend on the number of threads,
 * or go on otherwise after their state was saved. {@link AdamWTest} has the numbers of AdamW.
 */
class OptimizerTest {

  /** Made by src/test/python/record_adafactor.py. */
  private static final JsonNode ADAFACTOR =
      JsonMapper.shared().readTree(Path.of("src/test/resources/fixtures/adafactor.json"));

  private static final Map<String, Kind> KINDS =
      Map.of(
          "bias", Kind.BIAS,
          "matrix", Kind.MATRIX,
          "norm", Kind.NORM,
          "embedding", Kind.EMBEDDING,
          "experts", Kind.MATRIX);

  /** A matrix of several pieces between vectors. */
  private static final List<long[]> SHAPES =
      List.of(new long[] {3}, new long[] {FlatParameters.PIECE / 64 + 3, 130}, new long[] {7});

  private static final Kind[] ORDER = {Kind.BIAS, Kind.MATRIX, Kind.NORM};

  static List<Optimizer.Settings> all() {
    return List.of(
        new AdamW.Settings(0.9, 0.99, 1e-8, 0.1),
        new Lion.Settings(0.9, 0.99, 0.1),
        new Adafactor.Settings(0.1),
        new AdamW.Settings(0.9, 0.99, 1e-8, 0.1, true));
  }

  @AfterEach
  void allThreadsAgain() {
    Engine.setThreads(0);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void stepsOfAdafactorAreThoseOfTransformers(int threads) {
    Engine.setThreads(threads);
    try (Parameters parameters = new Parameters()) {
      ADAFACTOR
          .get("shapes")
          .forEachEntry(
              (name, shape) ->
                  parameters.take(
                      source(numbers(ADAFACTOR.get("start").get(name))),
                      name,
                      Objects.requireNonNull(KINDS.get(name), name),
                      shape.valueStream().mapToLong(JsonNode::longValue).toArray()));
      Optimizer.Settings settings =
          new Adafactor.Settings(ADAFACTOR.get("weight_decay").doubleValue());
      try (FlatParameters flat = FlatParameters.of(parameters);
          Optimizer adafactor = settings.create(flat)) {
        for (JsonNode step : ADAFACTOR.get("steps")) {
          for (Parameters.Parameter parameter : parameters.all()) {
            setGradient(parameter, numbers(step.get("gradients").get(parameter.name())), 0.5);
          }
          adafactor.step(step.get("rate").doubleValue(), 2);
          for (Parameters.Parameter parameter : parameters.all()) {
            assertThat(Tensors.toDoubles(parameter.tensor()))
                .as(parameter.name())
                .usingElementComparator(relative(1e-12))
                .containsExactly(numbers(step.get("weights").get(parameter.name())));
            assertThat(Tensors.toDoubles(parameter.tensor().grad())).containsOnly(0);
          }
        }
      }
    }
  }

  /** Algorithm 2 of the paper, weight by weight. */
  @Test
  void stepsOfLionAreThoseOfThePaper() {
    Engine.setThreads(2);
    Random random = new Random(5);
    try (Parameters parameters = parameters(random)) {
      double[][] weights = weights(parameters);
      double[][] means = new double[weights.length][];
      try (FlatParameters flat = FlatParameters.of(parameters);
          Optimizer lion = new Lion.Settings(0.9, 0.99, 0.1).create(flat)) {
        for (int step = 1; step <= 4; step++) {
          double rate = 0.001 * step;
          for (int i = 0; i < weights.length; i++) {
            double[] gradient = random.doubles(weights[i].length, -1, 1).toArray();
            setGradient(parameters.all().get(i), gradient, 1);
            means[i] = means[i] == null ? new double[gradient.length] : means[i];
            double decay = ORDER[i].decays() ? 0.1 : 0;
            for (int j = 0; j < gradient.length; j++) {
              double direction = Math.signum(0.9 * means[i][j] + 0.1 * gradient[j]);
              weights[i][j] -= rate * (direction + decay * weights[i][j]);
              means[i][j] = 0.99 * means[i][j] + 0.01 * gradient[j];
            }
          }
          lion.step(rate);
        }
      }
      for (int i = 0; i < weights.length; i++) {
        assertThat(Tensors.toDoubles(parameters.all().get(i).tensor()))
            .usingElementComparator(relative(1e-12))
            .containsExactly(weights[i]);
      }
    }
  }

  /**
   * The squares of gradients change by at most a thousandth of a mean in a step, which is less than
   * half a unit of bfloat16: rounded to nearest they would stay.
   */
  @Test
  void meansInBf16FollowThoseInFp32() {
    double[][] squares = new double[2][];
    double[][] means = new double[2][];
    for (int narrow = 0; narrow < 2; narrow++) {
      Random random = new Random(3);
      try (Parameters parameters = parameters(random);
          FlatParameters flat = FlatParameters.of(parameters);
          AdamW adam = new AdamW(flat, new AdamW.Settings(0.9, 0.999, 1e-8, 0, narrow == 1))) {
        for (int step = 0; step < 600; step++) {
          double size = step < 200 ? 1 : 0.01;
          try (TensorScope scope = TensorScope.open()) {
            Tensor gradients = flat.gradients();
            gradients.fill_(Tensors.scalar(size));
          }
          adam.step(1e-4);
        }
        squares[narrow] = Tensors.toDoubles(adam.squares());
        means[narrow] = Tensors.toDoubles(adam.means());
      }
    }
    assertThat(squares[0][0]).isBetween(0.1, 0.15);
    // Rounding by up to 0.8 % a step, at random, moves a number by a few percent in 600 steps.
    double exact = squares[0][0];
    double variance =
        Arrays.stream(squares[1])
            .map(square -> Math.pow(square / exact - 1, 2))
            .average()
            .orElseThrow();
    assertThat(Math.sqrt(variance)).isLessThan(0.06);
    assertThat(Arrays.stream(squares[1]).average().orElseThrow())
        .isBetween(exact * 0.999, exact * 1.001);
    assertThat(Arrays.stream(means[1]).allMatch(mean -> mean > 0.0097 && mean < 0.0103)).isTrue();
  }

  @ParameterizedTest
  @MethodSource("all")
  void theNumberOfThreadsAndABreakChangeNoBit(Optimizer.Settings settings) {
    double[][] one = weightsAfter(settings, 1, false);
    assertThat(weightsAfter(settings, 3, false)).isDeepEqualTo(one);
    assertThat(weightsAfter(settings, 2, true)).isDeepEqualTo(one);
  }

  @Test
  void adafactorKeepsAMeanForEachRowAndColumnAndLionHalfOfAdamW() {
    try (Parameters parameters = parameters(new Random(1));
        FlatParameters flat = FlatParameters.of(parameters)) {
      long[] matrix = SHAPES.get(1);
      assertThat(stateSize(all().get(0), flat)).isEqualTo(2 * flat.count());
      assertThat(stateSize(all().get(1), flat)).isEqualTo(flat.count());
      assertThat(stateSize(all().get(2), flat)).isEqualTo(matrix[0] + matrix[1] + 3 + 7);
    }
  }

  private static long stateSize(Optimizer.Settings settings, FlatParameters flat) {
    try (Optimizer optimizer = settings.create(flat)) {
      return optimizer.state().values().stream().mapToLong(Tensor::numel).sum();
    }
  }

  /** After four steps; with a break after two, another optimizer goes on from the state. */
  private static double[][] weightsAfter(
      Optimizer.Settings settings, int threads, boolean withBreak) {
    Engine.setThreads(threads);
    Random random = new Random(9);
    try (Parameters parameters = parameters(random);
        FlatParameters flat = FlatParameters.of(parameters);
        Optimizer first = settings.create(flat);
        Optimizer second = settings.create(flat)) {
      for (int step = 0; step < 4; step++) {
        if (withBreak && step == 2) {
          assertThat(second.state()).containsOnlyKeys(first.state().keySet());
          second
              .state()
              .forEach(
                  (name, target) ->
                      Tensors.overwrite(
                          target, Objects.requireNonNull(first.state().get(name), name)));
          second.continueAfter(2);
        }
        for (Parameters.Parameter parameter : parameters.all()) {
          double[] gradient = random.doubles(parameter.tensor().numel(), -1, 1).toArray();
          setGradient(parameter, gradient, 1);
        }
        (withBreak && step >= 2 ? second : first).step(0.01, 0.5);
      }
      return weights(parameters);
    }
  }

  private static Parameters parameters(Random random) {
    Parameters parameters = new Parameters();
    for (int i = 0; i < ORDER.length; i++) {
      long count = Arrays.stream(SHAPES.get(i)).reduce(1, (a, b) -> a * b);
      double[] values = random.doubles(count, -1, 1).toArray();
      parameters.take(source(values), "p" + i, ORDER[i], SHAPES.get(i));
    }
    return parameters;
  }

  private static ParameterSource source(double[] values) {
    return (name, kind, shape) -> {
      try (TensorScope scope = TensorScope.open()) {
        return scope.disown(
            Tensors.zeros(ElementType.F64, shape).copy_(Tensors.doubles(values).view(shape)));
      }
    };
  }

  private static void setGradient(Parameters.Parameter parameter, double[] values, double factor) {
    try (TensorScope scope = TensorScope.open()) {
      parameter
          .tensor()
          .grad()
          .view(-1)
          .copy_(Tensors.doubles(values).mul_(Tensors.scalar(factor)));
    }
  }

  private static double[][] weights(Parameters parameters) {
    return parameters.all().stream()
        .map(parameter -> Tensors.toDoubles(parameter.tensor()))
        .toArray(double[][]::new);
  }

  private static double[] numbers(JsonNode list) {
    return list.valueStream().mapToDouble(JsonNode::doubleValue).toArray();
  }
}
