package org.dpo4j.optim;

import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.dpo4j.torch.FusedAdamW;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/**
 * Adam with decoupled weight decay, in PyTorch's order of operations. Kingma and Ba 2014, arXiv
 * 1412.6980, Algorithm 1; Loshchilov and Hutter 2017, arXiv 1711.05101, Algorithm 2. With decay 0
 * it is Adam.
 */
public final class AdamW implements Optimizer {

  /**
   * Constants of the update.
   *
   * @param beta1 decay of the mean of gradients, in [0, 1)
   * @param beta2 decay of the mean of squared gradients, in [0, 1)
   * @param epsilon added to the root of the squared gradients, not negative
   * @param weightDecay share of a decaying weight lost per unit of learning rate, not negative
   * @param bf16Means whether the two means are kept in bfloat16, by {@link StochasticRounding},
   *     rather than in the type of the weights
   */
  public record Settings(
      double beta1, double beta2, double epsilon, double weightDecay, boolean bf16Means)
      implements Optimizer.Settings {

    /** Means in the type of the weights. */
    public Settings(double beta1, double beta2, double epsilon, double weightDecay) {
      this(beta1, beta2, epsilon, weightDecay, false);
    }

    /** PyTorch's defaults for Adam. */
    public static final Settings ADAM = new Settings(0.9, 0.999, 1e-8, 0);

    public Settings {
      if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1)) {
        throw new IllegalArgumentException(
            "beta1 and beta2 must be in [0, 1) but were " + beta1 + " and " + beta2);
      }
      if (!(epsilon >= 0 && weightDecay >= 0)) {
        throw new IllegalArgumentException(
            "epsilon and weightDecay must not be negative but were "
                + epsilon
                + " and "
                + weightDecay);
      }
    }

    @Override
    public Optimizer create(FlatParameters parameters) {
      return new AdamW(parameters, this);
    }
  }

  private final FlatParameters parameters;
  private final Settings settings;

  private final Tensor means; // (count)
  private final Tensor squares; // (count)
  private final @Nullable StochasticRounding rounding;
  private int steps;

  public AdamW(FlatParameters parameters, Settings settings) {
    this.parameters = parameters;
    this.settings = settings;
    means = zeros();
    squares = zeros();
    rounding = settings.bf16Means() ? new StochasticRounding(parameters.values()) : null;
  }

  private Tensor zeros() {
    return settings.bf16Means()
        ? parameters.zeros(parameters.count(), ScalarType.BFloat16)
        : parameters.zeros(parameters.count());
  }

  /** Running means of the gradients, shape (count), in the order of the parameters' values. */
  Tensor means() {
    return means;
  }

  /** Running means of the squared gradients, shape (count). */
  Tensor squares() {
    return squares;
  }

  @Override
  public Map<String, Tensor> state() {
    return new TreeMap<>(Map.of("means", means, "squares", squares));
  }

  @Override
  public void continueAfter(int done) {
    steps = done;
  }

  /** In one pass over memory. */
  @Override
  public void step(double learningRate, double gradientFactor) {
    steps++;
    try (TensorScope scope = TensorScope.open()) {
      FusedAdamW fused =
          new FusedAdamW(
              parameters.values(),
              steps,
              learningRate,
              settings.beta1(),
              settings.beta2(),
              settings.epsilon());
      parameters.update(
          gradientFactor,
          (values, gradients, from, decays) -> {
            Tensor mean = means.narrow(0, from, values.numel());
            Tensor square = squares.narrow(0, from, values.numel());
            double decay = decays ? settings.weightDecay() : 0;
            if (rounding == null) {
              fused.update(values, gradients, mean, square, decay);
            } else {
              for (long start = 0; start < values.numel(); start += FlatParameters.PIECE) {
                long end = Math.min(start + FlatParameters.PIECE, values.numel());
                updateNarrow(
                    fused,
                    rounding,
                    Tensors.rows(values, 0, start, end),
                    Tensors.rows(gradients, 0, start, end),
                    Tensors.rows(mean, 0, start, end),
                    Tensors.rows(square, 0, start, end),
                    decay,
                    from + start);
              }
            }
          });
    }
  }

  private void updateNarrow(
      FusedAdamW fused,
      StochasticRounding rounding,
      Tensor values,
      Tensor gradients,
      Tensor mean,
      Tensor square,
      double decay,
      long from) {
    try (TensorScope scope = TensorScope.open()) {
      ScalarType type = values.scalar_type().intern();
      Tensor exactMean = mean.to(type);
      Tensor exactSquare = square.to(type);
      fused.update(values, gradients, exactMean, exactSquare, decay);
      long seed = steps * parameters.count() + from;
      rounding.round(exactMean.to(ScalarType.Float), mean, seed);
      rounding.round(exactSquare.to(ScalarType.Float), square, ~seed);
    }
  }

  @Override
  public void close() {
    Tensors.free(means);
    Tensors.free(squares);
    if (rounding != null) {
      rounding.close();
    }
  }
}
