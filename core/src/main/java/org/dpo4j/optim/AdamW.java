package org.dpo4j.optim;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.FusedAdamW;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.torch.WorkerPool;

/**
 * Adam with decoupled weight decay, in PyTorch's order of operations. Kingma and Ba 2014, arXiv
 * 1412.6980, Algorithm 1; Loshchilov and Hutter 2017, arXiv 1711.05101, Algorithm 2. With decay 0
 * it is Adam.
 */
public final class AdamW implements AutoCloseable {

  /** Elements updated together: enough to pay for the call, few enough to stay in cache. */
  static final int PIECE = 1 << 17;

  /** As many as a call can take: a GPU divides them among its cores itself. */
  private static final long PIECE_OF_GPU = 1 << 30;

  /**
   * Constants of the update.
   *
   * @param beta1 decay of the mean of gradients, in [0, 1)
   * @param beta2 decay of the mean of squared gradients, in [0, 1)
   * @param epsilon added to the root of the squared gradients, not negative
   * @param weightDecay share of a decaying weight lost per unit of learning rate, not negative
   */
  public record Settings(double beta1, double beta2, double epsilon, double weightDecay) {

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
  }

  private final FlatParameters parameters;
  private final Settings settings;

  private final Tensor means; // (count)
  private final Tensor squares; // (count)
  private int steps;

  public AdamW(FlatParameters parameters, Settings settings) {
    this.parameters = parameters;
    this.settings = settings;
    try (TensorScope scope = TensorScope.open()) {
      means = scope.disown(Tensors.zerosLike(parameters.values(), parameters.count()));
      squares = scope.disown(Tensors.zerosLike(parameters.values(), parameters.count()));
    }
  }

  /** Running means of the gradients, shape (count), in the order of the parameters' values. */
  public Tensor means() {
    return means;
  }

  /** Running means of the squared gradients, shape (count). */
  public Tensor squares() {
    return squares;
  }

  /** Continues after {@code done} updates, whose means the caller has put in place. */
  public void continueAfter(int done) {
    steps = done;
  }

  /**
   * Updates every weight by its gradient and sets the gradients to zero, in one pass over memory.
   *
   * @param learningRate of this step, not negative
   * @param gradientFactor the gradients are multiplied by it first; see {@link FlatParameters#clip}
   */
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
      if (parameters.onGpu()) {
        for (long start = 0; start < parameters.count(); start += PIECE_OF_GPU) {
          update(fused, start, PIECE_OF_GPU, gradientFactor);
        }
      } else {
        updateOnCpu(fused, gradientFactor);
      }
    }
  }

  private void updateOnCpu(FusedAdamW fused, double gradientFactor) {
    WorkerPool workers = WorkerPool.get();
    long pieces = (parameters.count() - 1) / PIECE + 1;
    workers.runOnEach(
        thread -> {
          for (long piece = pieces * thread / workers.size();
              piece < pieces * (thread + 1) / workers.size();
              piece++) {
            update(fused, piece * PIECE, PIECE, gradientFactor);
          }
        });
  }

  /** {@link #step(double, double)} with the gradients as they are. */
  public void step(double learningRate) {
    step(learningRate, 1);
  }

  /** A piece may contain both weights with decay and weights without. */
  private void update(FusedAdamW fused, long start, long most, double gradientFactor) {
    long end = Math.min(start + most, parameters.count());
    long border = Math.max(start, Math.min(end, parameters.decaying()));
    try (TensorScope scope = TensorScope.open()) {
      Tensor gradients = parameters.gradients().narrow(0, start, end - start);
      if (gradientFactor != 1) {
        gradients.mul_(Tensors.scalar(gradientFactor));
      }
      updateRange(fused, start, border, settings.weightDecay());
      updateRange(fused, border, end, 0);
      gradients.zero_();
    }
  }

  private void updateRange(FusedAdamW fused, long from, long to, double weightDecay) {
    if (from < to) {
      fused.update(
          parameters.values().narrow(0, from, to - from),
          parameters.gradients().narrow(0, from, to - from),
          means.narrow(0, from, to - from),
          squares.narrow(0, from, to - from),
          weightDecay);
    }
  }

  @Override
  public void close() {
    Tensors.free(means);
    Tensors.free(squares);
  }
}
