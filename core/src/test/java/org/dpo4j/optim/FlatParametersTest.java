package org.dpo4j.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.dpo4j.Closeness.relative;

import java.util.HashSet;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.logprob.SequenceLogProbs;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.Parameters;
import org.dpo4j.model.SmallModel;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.Engine;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Closes: a model that computes with other weights than those that the optimizer changes. */
class FlatParametersTest {

  private static final int[] PROMPT = {1, 2, 3};
  private static final int[] COMPLETION = {4, 5, 6, 7};

  @ParameterizedTest
  @EnumSource
  void aModelComputesTheSameAfterItsWeightsMoved(SmallModel kind) {
    try (CausalLm model = kind.create(ElementType.F64, 1)) {
      double[] weights = SmallModel.weights(model);
      double before = logProb(model);
      try (FlatParameters flat = FlatParameters.of(model.parameters())) {
        assertThat(flat.count()).isEqualTo(model.parameters().count());
        assertThat(SmallModel.weights(model)).isEqualTo(weights);
        assertThat(logProb(model)).isEqualTo(before);
      }
      assertThat(SmallModel.weights(model)).isEqualTo(weights);
      assertThat(logProb(model)).isEqualTo(before);
    }
  }

  @ParameterizedTest
  @EnumSource
  void gradientsLandInTheFlatBufferAsTheyWouldInTheTensors(SmallModel kind) {
    try (CausalLm model = kind.create(ElementType.F64, 1);
        CausalLm plain = model.copy();
        FlatParameters flat = FlatParameters.of(model.parameters());
        TensorScope scope = TensorScope.open()) {
      plain.parameters().requireGradients(true);
      SequenceLogProbs.sequenceLogProb(plain, PROMPT, COMPLETION).backward();
      SequenceLogProbs.sequenceLogProb(model, PROMPT, COMPLETION).backward();
      double norm = 0;
      for (int i = 0; i < plain.parameters().all().size(); i++) {
        Parameters.Parameter parameter = plain.parameters().all().get(i);
        double[] expected = Tensors.toDoubles(parameter.tensor().grad());
        assertThat(Tensors.toDoubles(model.parameters().all().get(i).tensor().grad()))
            .as(parameter.name())
            .usingElementComparator(relative(1e-12))
            .containsExactly(expected);
        norm += java.util.Arrays.stream(expected).map(x -> x * x).sum();
      }
      assertThat(flat.gradientNorm()).usingComparator(relative(1e-9)).isEqualTo(Math.sqrt(norm));
      assertThat(norm).isPositive();
      flat.zeroGradients();
      assertThat(flat.gradientNorm()).isZero();
    }
  }

  /** More elements than fit into one piece of the sum, so that several threads have work. */
  @Test
  void theNormOfTheGradientsDoesNotDependOnTheNumberOfThreads() {
    try (CausalLm model = SmallModel.TINY_GPT.create(ElementType.F32, 1);
        TensorScope scope = TensorScope.open()) {
      Parameters.Parameter first = model.parameters().all().get(0);
      first.tensor().set_data(Tensors.zeros(ElementType.F32, 333_333L));
      try (FlatParameters flat = FlatParameters.of(model.parameters())) {
        try (RandomNumbers random = new RandomNumbers(5)) {
          random.normal(flat.gradients());
        }
        Set<Double> norms = new HashSet<>();
        for (int threads = 1; threads <= 5; threads++) {
          try (Engine.Threads used = Engine.use(threads)) {
            norms.add(flat.gradientNorm());
          }
        }
        assertThat(norms).hasSize(1);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void afterClosingTheGradientsAreGoneAndTheChangedWeightsRemain(SmallModel kind) {
    try (CausalLm model = kind.create(ElementType.F32, 1)) {
      double[] before = SmallModel.weights(model);
      double[] after;
      try (FlatParameters flat = FlatParameters.of(model.parameters());
          AdamW adamW = new AdamW(flat, AdamW.Settings.ADAM)) {
        try (TensorScope scope = TensorScope.open()) {
          SequenceLogProbs.sequenceLogProb(model, PROMPT, COMPLETION).backward();
        }
        adamW.step(0.1);
        after = SmallModel.weights(model);
      }
      assertThat(after).isNotEqualTo(before);
      assertThat(SmallModel.weights(model)).isEqualTo(after);
      try (TensorScope scope = TensorScope.open()) {
        for (Parameters.Parameter parameter : model.parameters().all()) {
          assertThat(parameter.tensor().requires_grad()).isFalse();
          assertThat(parameter.tensor().grad().defined()).isFalse();
        }
      }
    }
  }

  private static double logProb(CausalLm model) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor sum = SequenceLogProbs.sequenceLogProb(model, PROMPT, COMPLETION);
      return sum.item_double();
    }
  }
}
