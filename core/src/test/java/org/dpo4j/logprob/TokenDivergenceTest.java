package org.dpo4j.logprob;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

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
    FlatSequences sequences =
        new FlatSequences.Builder()
            .add(new int[] {1, 2, 3}, new int[] {4, 5}, new int[] {6, 7, 8})
            .add(new int[] {9}, new int[] {1, 1, 2, 3})
            .build();
    try (CausalLm model = kind.create(ElementType.F64, 1);
        CausalLm reference = kind.create(ElementType.F64, 2)) {
      double[] found = TokenDivergence.of(model, reference, sequences);
      double[] expected = new double[3];
      double[][] p = logProbs(model, sequences);
      double[][] q = logProbs(reference, sequences);
      for (int i = 0; i < p.length; i++) {
        for (int v = 0; v < p[i].length; v++) {
          expected[sequences.sequenceOf()[i]] += Math.exp(p[i][v]) * (p[i][v] - q[i][v]);
        }
      }
      assertThat(found).containsExactly(expected, within(1e-9)).doesNotContain(0);
      assertThat(TokenDivergence.of(model, model, sequences))
          .containsExactly(new double[3], within(1e-12));
    }
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
