package org.dpo4j.logprob;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.SmallModel;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Closes: a divergence of the wrong direction, of other tokens, or with a part left out. */
class TokenDivergenceTest {

  @ParameterizedTest
  @EnumSource
  void isTheSumOverTheVocabularyAtEachCompletionToken(SmallModel kind) {
    for (LogProbEngine engine : List.of(LogProbEngine.cpu(), LogProbEngine.autograd())) {
      check(engine, kind);
    }
  }

  private static void check(LogProbEngine engine, SmallModel kind) {
    FlatSequences sequences =
        new FlatSequences.Builder()
            .add(new int[] {1, 2, 3}, new int[] {4, 5}, new int[] {6, 7, 8})
            .add(new int[] {9}, new int[] {1, 1, 2, 3})
            .build();
    try (CausalLm model = kind.create(ElementType.F64, 1);
        CausalLm reference = kind.create(ElementType.F64, 2)) {
      double[] expected = new double[3];
      double[][] p = logProbs(model, sequences);
      double[][] q = logProbs(reference, sequences);
      for (int i = 0; i < p.length; i++) {
        for (int v = 0; v < p[i].length; v++) {
          expected[sequences.sequenceOf()[i]] += Math.exp(p[i][v]) * (p[i][v] - q[i][v]);
        }
      }
      assertThat(divergences(engine, model, reference, sequences))
          .containsExactly(expected, within(1e-9))
          .doesNotContain(0);
      assertThat(divergences(engine, model, model, sequences))
          .containsExactly(new double[3], within(1e-12));
    }
  }

  /** By sequence. */
  private static double[] divergences(
      LogProbEngine engine, CausalLm model, CausalLm reference, FlatSequences sequences) {
    double[] sums = new double[sequences.sequences()];
    try (LogProbPass p = pass(engine, model, sequences);
        LogProbPass q = pass(engine, reference, sequences)) {
      for (int i = 0; i < sequences.targets().length; i++) {
        sums[sequences.sequenceOf()[i]] += TokenDivergence.sum(p, q, i, i + 1);
      }
      assertThat(TokenDivergence.sum(p, q, 0, sequences.targets().length))
          .isCloseTo(Arrays.stream(sums).sum(), within(1e-9));
    }
    return sums;
  }

  private static LogProbPass pass(LogProbEngine engine, CausalLm model, FlatSequences sequences) {
    return engine.forward(model, sequences, LengthDesensitizing.NONE, LogProbEngine.Purpose.SUMS);
  }

  /** Shape (scored, vocabulary). */
  private static double[][] logProbs(CausalLm model, FlatSequences sequences) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor rows = torch.log_softmax(SequenceLogProbs.completionLogits(model, sequences), 1);
      double[][] values = new double[(int) rows.size(0)][];
      for (int i = 0; i < values.length; i++) {
        values[i] = Tensors.toDoubles(rows.select(0, i));
      }
      return values;
    }
  }
}
