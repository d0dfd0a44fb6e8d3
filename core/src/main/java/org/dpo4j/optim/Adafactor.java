package org.dpo4j.optim;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.Parameters;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * Adafactor with the learning rate of the run: of a matrix it keeps the means of squared gradients
 * by row and by column alone, so that its state is a small part of {@link AdamW}'s. Shazeer and
 * Stern 2018, arXiv 1804.04235, Algorithm 4 without momentum and without scaling by the size of a
 * weight; with the constants of transformers' Trainer ({@code optim: adafactor}).
 */
public final class Adafactor implements Optimizer {

  private static final double DECAY_EXPONENT = -0.8;
  private static final double ADDED_TO_SQUARES = 1e-30;
  private static final double LARGEST_UPDATE = 1; // by its root mean square

  /**
   * Constants of the update.
   *
   * @param weightDecay share of a decaying weight lost per unit of learning rate, not negative
   */
  public record Settings(double weightDecay) implements Optimizer.Settings {

    @Override
    public Optimizer create(FlatParameters parameters) {
      return new Adafactor(parameters, this);
    }
  }

  /**
   * A parameter and its part of the state.
   *
   * @param rows means by row, the parameter's shape without its last dimension; those of all
   *     elements for a vector
   * @param columns means by column, without the dimension before the last; of no elements for a
   *     vector
   */
  private record Part(Parameters.Parameter parameter, Tensor rows, Tensor columns) {

    boolean factored() {
      return parameter.tensor().dim() > 1;
    }
  }

  private final FlatParameters parameters;
  private final Settings settings;
  private final Tensor means; // (stateSize), the parts of the parameters one after the other
  private final List<Part> parts = new ArrayList<>();
  private int steps;

  private Adafactor(FlatParameters parameters, Settings settings) {
    this.parameters = parameters;
    this.settings = settings;
    means =
        parameters.zeros(
            parameters.ordered().stream()
                .mapToLong(parameter -> stateSize(parameter.tensor().shape()))
                .sum());
    long from = 0;
    for (Parameters.Parameter parameter : parameters.ordered()) {
      long[] shape = parameter.tensor().shape();
      Tensor rows = view(from, shape.length > 1 ? without(shape, shape.length - 1) : shape);
      from += rows.numel();
      Tensor columns =
          view(from, shape.length > 1 ? without(shape, shape.length - 2) : new long[] {0});
      from += columns.numel();
      parts.add(new Part(parameter, rows, columns));
    }
  }

  private static long stateSize(long[] shape) {
    return shape.length > 1
        ? product(without(shape, shape.length - 1)) + product(without(shape, shape.length - 2))
        : product(shape);
  }

  private static long[] without(long[] shape, int dimension) {
    long[] left = new long[shape.length - 1];
    System.arraycopy(shape, 0, left, 0, dimension);
    System.arraycopy(shape, dimension + 1, left, dimension, left.length - dimension);
    return left;
  }

  private static long product(long[] shape) {
    long product = 1;
    for (long size : shape) {
      product = Math.multiplyExact(product, size);
    }
    return product;
  }

  private Tensor view(long from, long[] shape) {
    return TensorScope.ownedHandle(means.narrow(0, from, product(shape)).view(shape));
  }

  @Override
  public Map<String, Tensor> state() {
    return Map.of("means", means);
  }

  @Override
  public void continueAfter(int done) {
    steps = done;
  }

  @Override
  public void step(double learningRate, double gradientFactor) {
    steps++;
    double kept = 1 - Math.pow(steps, DECAY_EXPONENT);
    parameters.forEachParameter(
        number -> {
          try (TensorScope scope = TensorScope.open()) {
            update(parts.get(number), learningRate, gradientFactor, kept);
          }
        });
  }

  private void update(Part part, double learningRate, double gradientFactor, double kept) {
    Tensor values = part.parameter().tensor().detach();
    Tensor gradients = part.parameter().tensor().grad();
    if (gradientFactor != 1) {
      gradients.mul_(Tensors.scalar(gradientFactor));
    }
    Tensor squares = gradients.square().add_(Tensors.scalar(ADDED_TO_SQUARES));
    Tensor update = part.factored() ? factored(part, squares, kept) : whole(part, squares, kept);
    update.mul_(gradients);
    double size = Tensors.norm(update) / Math.sqrt((double) update.numel()); // root mean square
    update.div_(Tensors.scalar(Math.max(1, size / LARGEST_UPDATE)));
    update.mul_(Tensors.scalar(learningRate));
    if (part.parameter().kind().decays() && settings.weightDecay() != 0) {
      values.add_(values, Tensors.scalar(-settings.weightDecay() * learningRate));
    }
    values.sub_(update);
    gradients.zero_();
  }

  /** The factors of the gradients, in the memory of their squares. */
  private static Tensor factored(Part part, Tensor squares, double kept) {
    long[] last = {-1};
    mix(part.rows(), squares.mean(last, false, Tensors.noType()), kept);
    mix(part.columns(), squares.mean(new long[] {-2}, false, Tensors.noType()), kept);
    Tensor byRow =
        part.rows().div(part.rows().mean(last, true, Tensors.noType())).rsqrt_().unsqueeze(-1);
    return squares.copy_(byRow.expand(squares.shape())).mul_(part.columns().rsqrt().unsqueeze(-2));
  }

  private static Tensor whole(Part part, Tensor squares, double kept) {
    mix(part.rows(), squares, kept);
    return part.rows().rsqrt();
  }

  private static void mix(Tensor mean, Tensor now, double kept) {
    mean.mul_(Tensors.scalar(kept)).add_(now, Tensors.scalar(1 - kept));
  }

  @Override
  public void close() {
    for (Part part : parts) {
      Tensors.free(part.rows());
      Tensors.free(part.columns());
    }
    Tensors.free(means);
  }
}
