package org.dpo4j.optim;

import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * Lion: every weight moves by the learning rate, in the direction of the sign of a mean of
 * gradients. Chen et al. 2023, arXiv 2302.06675, Algorithm 2. Half the state of {@link AdamW}.
 */
public final class Lion implements Optimizer {

  /**
   * Constants of the update.
   *
   * @param beta1 weight of the mean in the direction, in [0, 1)
   * @param beta2 decay of the mean, in [0, 1)
   * @param weightDecay share of a decaying weight lost per unit of learning rate, not negative
   */
  public record Settings(double beta1, double beta2, double weightDecay)
      implements Optimizer.Settings {

    @Override
    public Optimizer create(FlatParameters parameters) {
      return new Lion(parameters, this);
    }
  }

  private final FlatParameters parameters;
  private final Settings settings;
  private final Tensor means; // (count)

  private Lion(FlatParameters parameters, Settings settings) {
    this.parameters = parameters;
    this.settings = settings;
    means = parameters.zeros(parameters.count());
  }

  @Override
  public Map<String, Tensor> state() {
    return Map.of("means", means);
  }

  /** Does nothing: an update does not depend on its number. */
  @Override
  public void continueAfter(int done) {}

  @Override
  public void step(double learningRate, double gradientFactor) {
    parameters.update(
        gradientFactor,
        (values, gradients, from, decays) -> {
          try (TensorScope scope = TensorScope.open()) {
            Tensor mean = means.narrow(0, from, values.numel());
            Tensor direction = mixed(mean.clone(), gradients, settings.beta1()).sign_();
            if (decays && settings.weightDecay() != 0) {
              values.mul_(Tensors.scalar(1 - learningRate * settings.weightDecay()));
            }
            values.add_(direction, Tensors.scalar(-learningRate));
            mixed(mean, gradients, settings.beta2());
          }
        });
  }

  /** beta mean + (1 - beta) gradients, in place. */
  private static Tensor mixed(Tensor mean, Tensor gradients, double beta) {
    return mean.mul_(Tensors.scalar(beta)).add_(gradients, Tensors.scalar(1 - beta));
  }

  @Override
  public void close() {
    Tensors.free(means);
  }
}
