package org.dpo4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dpo4j.Closeness.relative;

import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Closes: a state that goes on into the next sequence, a completion that does not begin after its
 * prompt, and tokens that give something else when they are read in several pieces. {@code
 * FamiliesTest} compares models that have recurrences with transformers.
 */
class RecurrenceTest {

  private static final GatedDeltaRule.Heads HEADS = new GatedDeltaRule.Heads(2, 3, 4, 5);
  private static final int CHANNELS = 4;
  private static final int KERNEL = 3;

  /** Every shape of a group, and a completion of more than one piece of the delta rule. */
  private static final FlatSequences SEQUENCES =
      new FlatSequences.Builder()
          .add(new int[3], new int[4], new int[6]) // a pair
          .add(new int[1], new int[1], new int[2], new int[5]) // three completions, one not fed
          .add(new int[0], new int[3], new int[4]) // no prompt
          .add(new int[5]) // no completion
          .add(new int[2], new int[0], new int[3]) // an empty completion
          .add(new int[70], new int[2], new int[80]) // several pieces
          .build();

  /**
   * A recurrence with random weights.
   *
   * @param width of its input
   */
  private record Case(String name, Recurrence recurrence, int width, List<Tensor> weights) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static Stream<Case> cases() {
    return Stream.of(convolution(true), convolution(false), deltaRule());
  }

  private static Case convolution(boolean bias) {
    Parameters parameters = new Parameters();
    Recurrence convolution =
        GatedConvolution.take(parameters, random(), "conv", CHANNELS, KERNEL, bias);
    return new Case(
        bias ? "convolution with bias" : "convolution",
        convolution,
        3 * CHANNELS,
        parameters.all().stream().map(Parameters.Parameter::tensor).toList());
  }

  private static Case deltaRule() {
    GatedDeltaRule rule = rule();
    return new Case(
        "delta rule",
        rule,
        HEADS.convolved() + HEADS.allValues() + 2 * HEADS.values(),
        List.of(
            rule.convolution().weight(), rule.logRate(), rule.decayBias(), rule.norm().weight()));
  }

  private static GatedDeltaRule rule() {
    return GatedDeltaRule.take(
        new Parameters(), random(), "linear_attn.", HEADS, KERNEL, Activation.SILU, 1e-6);
  }

  private static RandomParameters random() {
    return new RandomParameters(ElementType.F64, new RandomNumbers(3));
  }

  private static Tensor input(int width) {
    int tokens = SEQUENCES.tokens();
    double[] values = new Random(1).doubles((long) tokens * width, -2, 2).toArray();
    return Tensors.doubles(values).view(tokens, width);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void eachTokenGivesWhatItsOwnSequenceGives(Case of) {
    assertThat(outputAndGradients(of, new FlatAttention(SEQUENCES, input(1), List.of())))
        .usingElementComparator(relative(1e-9))
        .containsExactly(outputAndGradients(of, NaiveAttention.of(SEQUENCES)));
  }

  /** The outputs, and the gradients of a weighted sum of them. */
  private static double[] outputAndGradients(Case of, Attention attention) {
    try (TensorScope scope = TensorScope.open()) {
      of.weights().forEach(weight -> weight.set_requires_grad(true));
      Tensor input = input(of.width()).set_requires_grad(true);
      Tensor output = attention.read(0, of.recurrence(), input);
      Tensor factors =
          Tensors.doubles(new Random(2).doubles(output.numel(), -1, 1).toArray())
              .view(output.shape());
      output.mul(factors).sum().backward();
      Stream<Tensor> gradients = of.weights().stream().map(weight -> weight.grad().flatten());
      Tensor all =
          Tensors.cat(
              Stream.concat(Stream.of(output.detach().flatten(), input.grad().flatten()), gradients)
                  .toList(),
              0);
      double[] found = Tensors.toDoubles(all);
      of.weights().forEach(weight -> weight.grad().zero_());
      return found;
    }
  }

  /** y_t = c_t (w_1 b_(t-2) x_(t-2) + w_2 b_(t-1) x_(t-1) + w_3 b_t x_t). */
  @Test
  void aShortConvolutionSeesItsKernelOnly() {
    try (TensorScope scope = TensorScope.open()) {
      CausalConvolution convolution =
          new CausalConvolution(Tensors.doubles(2, 3, 5).view(1, 1, 3), null);
      Recurrence recurrence = new GatedConvolution(convolution);
      Tensor input = // b, c, x of four tokens
          Tensors.doubles(1, 1, 7, 2, 1, 1, 1, 10, 4, 3, 1, 1).view(1, 4, 3);
      Tensor output = recurrence.read(input, recurrence.start(input)).output();
      // b x is 7, 2, 4, 3.
      assertThat(Tensors.toDoubles(output))
          .containsExactly(
              5 * 7, 3 * 7 + 5 * 2, 10 * (2 * 7 + 3 * 2 + 5 * 4), 2 * 2 + 3 * 4 + 5 * 3);
    }
  }

  /** The rule token by token, in loops. */
  @Test
  void theDeltaRuleIsThatOfItsDefinition() {
    GatedDeltaRule rule = rule();
    int tokens = 70;
    int width = HEADS.convolved() + HEADS.allValues() + 2 * HEADS.values();
    try (TensorScope scope = TensorScope.open()) {
      Tensor input = input(width).narrow(0, 0, tokens).unsqueeze(0);
      Tensor output = rule.read(input, rule.start(input)).output();
      Tensor qkv =
          rule.activation()
              .apply(
                  rule.convolution()
                      .apply(input.narrow(2, 0, HEADS.convolved()), rule.start(input).get(0))
                      .output());
      double[] expected =
          loops(
              Tensors.toDoubles(qkv),
              Tensors.toDoubles(input.narrow(2, HEADS.convolved(), width - HEADS.convolved())),
              Tensors.toDoubles(rule.logRate()),
              Tensors.toDoubles(rule.decayBias()),
              Tensors.toDoubles(rule.norm().weight()),
              tokens);
      assertThat(Tensors.toDoubles(output))
          .usingElementComparator(relative(1e-10))
          .containsExactly(expected);
    }
  }

  private static double[] loops(
      double[] qkv, double[] rest, double[] logRate, double[] bias, double[] norm, int tokens) {
    int keyWidth = HEADS.keyWidth();
    int valueWidth = HEADS.valueWidth();
    int restWidth = HEADS.allValues() + 2 * HEADS.values();
    double[] out = new double[tokens * HEADS.allValues()];
    for (int head = 0; head < HEADS.values(); head++) {
      int keyHead = head / (HEADS.values() / HEADS.keys());
      double[][] matrix = new double[keyWidth][valueWidth];
      for (int t = 0; t < tokens; t++) {
        int at = t * HEADS.convolved();
        double[] q = unit(qkv, at + keyHead * keyWidth);
        double[] k = unit(qkv, at + HEADS.allKeys() + keyHead * keyWidth);
        int v = at + 2 * HEADS.allKeys() + head * valueWidth;
        int z = t * restWidth + head * valueWidth;
        double beta = sigmoid(rest[t * restWidth + HEADS.allValues() + head]);
        double a = rest[t * restWidth + HEADS.allValues() + HEADS.values() + head];
        double decay = Math.exp(-Math.exp(logRate[head]) * Math.log1p(Math.exp(a + bias[head])));
        double[] y = new double[valueWidth];
        double squares = 0;
        for (int j = 0; j < valueWidth; j++) {
          double predicted = 0;
          for (int i = 0; i < keyWidth; i++) {
            matrix[i][j] *= decay;
            predicted += k[i] * matrix[i][j];
          }
          for (int i = 0; i < keyWidth; i++) {
            matrix[i][j] += k[i] * beta * (qkv[v + j] - predicted);
            y[j] += q[i] / Math.sqrt(keyWidth) * matrix[i][j];
          }
          squares += y[j] * y[j];
        }
        for (int j = 0; j < valueWidth; j++) {
          double normed = y[j] / Math.sqrt(squares / valueWidth + 1e-6) * norm[j];
          out[t * HEADS.allValues() + head * valueWidth + j] =
              normed * rest[z + j] * sigmoid(rest[z + j]);
        }
      }
    }
    return out;
  }

  private static double[] unit(double[] values, int from) {
    double[] part = new double[HEADS.keyWidth()];
    double squares = 0;
    for (int i = 0; i < part.length; i++) {
      squares += values[from + i] * values[from + i];
    }
    for (int i = 0; i < part.length; i++) {
      part[i] = values[from + i] / Math.sqrt(squares + 1e-6);
    }
    return part;
  }

  private static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }
}
