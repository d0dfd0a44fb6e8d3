package org.dpo4j.model;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.TensorScope;

/**
 * The weights of a model that required gradients when a pass started. The forward pass saves only
 * what the gradients of these weights need.
 */
public final class TrainedWeights {

  private record Weight(Parameters.Parameter parameter, boolean required) {}

  private final List<Weight> weights = new ArrayList<>();

  private TrainedWeights() {}

  /** Records which weights of a model and its adapter require gradients now. */
  public static TrainedWeights of(CausalLm model) {
    TrainedWeights now = new TrainedWeights();
    Set<Parameters.Parameter> all = new LinkedHashSet<>(model.parameters().all());
    all.addAll(model.trained().all());
    all.forEach(
        parameter -> now.weights.add(new Weight(parameter, parameter.tensor().requires_grad())));
    return now;
  }

  /**
   * Checks that the same weights still require gradients and have gradient tensors.
   *
   * @throws IllegalStateException naming the first weight for which this is not the case
   */
  public void requireUnchanged() {
    try (TensorScope scope = TensorScope.open()) {
      for (Weight weight : weights) {
        Tensor tensor = weight.parameter().tensor();
        if (tensor.requires_grad() != weight.required()) {
          throw new IllegalStateException(
              "%s %s gradients when the pass was opened and %s now; change that before a pass or after it"
                  .formatted(
                      weight.parameter().name(),
                      weight.required() ? "required" : "did not require",
                      weight.required() ? "does not" : "does"));
        }
        if (weight.required() && !tensor.grad().defined()) {
          throw new IllegalStateException(
              "%s requires a gradient but has no gradient tensor; FlatParameters.of makes one"
                  .formatted(weight.parameter().name()));
        }
      }
    }
  }
}
