package org.dpo4j.model;

import static org.assertj.core.api.Assertions.assertThat;

import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.Tensors;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Closes: a policy that does not start as its reference, or that shares memory with it. */
class CausalLmCopyTest {

  @ParameterizedTest
  @EnumSource
  void aCopyHasTheSameBytesInMemoryOfItsOwn(SmallModel kind) {
    try (CausalLm model = kind.create(ElementType.F32, 1);
        CausalLm copy = model.copy()) {
      double[] weights = SmallModel.weights(model);
      assertThat(copy.parameters().all())
          .extracting(Parameters.Parameter::name)
          .isEqualTo(model.parameters().all().stream().map(Parameters.Parameter::name).toList());
      assertThat(SmallModel.weights(copy)).isEqualTo(weights);

      copy.parameters().all().forEach(p -> p.tensor().fill_(Tensors.scalar(7)));
      assertThat(SmallModel.weights(model)).isEqualTo(weights);
      assertThat(SmallModel.weights(copy)).containsOnly(7);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aCopyOfATrainingModelAsksForNoGradients(SmallModel kind) {
    try (CausalLm model = kind.create(ElementType.F32, 1)) {
      model.parameters().requireGradients(true);
      try (CausalLm copy = model.copy()) {
        assertThat(copy.parameters().all()).noneMatch(p -> p.tensor().requires_grad());
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void aCopyOutlivesItsOriginal(SmallModel kind) {
    CausalLm model = kind.create(ElementType.F32, 1);
    double[] weights = SmallModel.weights(model);
    try (CausalLm copy = model.copy()) {
      model.close();
      assertThat(SmallModel.weights(copy)).isEqualTo(weights);
    }
  }
}
