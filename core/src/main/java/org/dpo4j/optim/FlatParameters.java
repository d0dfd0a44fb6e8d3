package org.dpo4j.optim;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.dpo4j.model.Parameters;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.torch.WorkerPool;

/**
 * The weights of a model in one buffer and their gradients in a second one, so that the optimizer
 * works on a few long vectors and not on hundreds of tensors. Weights with decay come first. The
 * model keeps its tensors; only their memory moves.
 */
public final class FlatParameters implements AutoCloseable {

  /** Updates some weights. */
  interface Update {
    /**
     * @param values shape (n), changed in place
     * @param gradients shape (n)
     * @param from place of the first of them among all weights
     * @param decays whether weight decay applies to them
     */
    void apply(Tensor values, Tensor gradients, long from, boolean decays);
  }

  /** Elements updated together: enough to pay for the call, few enough to stay in cache. */
  static final int PIECE = 1 << 17;

  /** As many as a call can take: a GPU divides them among its cores itself. */
  private static final long PIECE_OF_GPU = 1 << 30;

  private static final long NORM_PIECE = 1 << 16;

  private final Tensor values; // (count)
  private final Tensor gradients; // (count)
  private final long decaying;
  private final Parameters parameters;

  private FlatParameters(Parameters parameters, Tensor values, Tensor gradients, long decaying) {
    this.parameters = parameters;
    this.values = values;
    this.gradients = gradients;
    this.decaying = decaying;
  }

  /**
   * The place of a parameter.
   *
   * @param name as in {@link Parameters}
   * @param from place of its first weight among all weights
   * @param count of its weights
   */
  public record Range(String name, long from, long count) {}

  /** Moves the weights and turns their gradients on. */
  public static FlatParameters of(Parameters parameters) {
    List<Parameters.Parameter> ordered = ordered(parameters);
    long decaying =
        ordered.stream().filter(p -> p.kind().decays()).mapToLong(p -> p.tensor().numel()).sum();
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor first = ordered.get(0).tensor();
      Tensor values = scope.disown(Tensors.zerosLike(first, parameters.count()));
      Tensor gradients = scope.disown(Tensors.zerosLike(first, parameters.count()));
      long offset = 0;
      for (Parameters.Parameter parameter : ordered) {
        Tensor tensor = parameter.tensor();
        long count = tensor.numel();
        Tensor place = values.narrow(0, offset, count).view(tensor.shape());
        place.copy_(tensor);
        tensor.set_data(place);
        tensor.set_requires_grad(true);
        // Autograd adds into a gradient that is there already, in place.
        tensor.mutable_grad().put(gradients.narrow(0, offset, count).view(tensor.shape()));
        offset += count;
      }
      return new FlatParameters(parameters, values, gradients, decaying);
    }
  }

  /** Parameters with decay, then those without; each in the order of the model. */
  private static List<Parameters.Parameter> ordered(Parameters parameters) {
    return parameters.all().stream()
        .sorted(Comparator.comparing((Parameters.Parameter p) -> !p.kind().decays()))
        .toList();
  }

  /** All weights, shape (count). */
  public Tensor values() {
    return values;
  }

  /** All gradients, shape (count), in the order of the values. */
  public Tensor gradients() {
    return gradients;
  }

  /** The places of all parameters, in their order. */
  public List<Range> ranges() {
    List<Range> ranges = new ArrayList<>();
    long from = 0;
    for (Parameters.Parameter parameter : ordered(parameters)) {
      long count = parameter.tensor().numel();
      ranges.add(new Range(parameter.name(), from, count));
      from += count;
    }
    return ranges;
  }

  /** Number of weights with decay; they come first. */
  long decaying() {
    return decaying;
  }

  /** Number of weights. */
  public long count() {
    return values.numel();
  }

  /** Name and shape of each parameter, in the order of the buffers. */
  public List<String> layout() {
    return ordered(parameters).stream()
        .map(parameter -> parameter.name() + Arrays.toString(parameter.tensor().shape()))
        .toList();
  }

  /** Sets all gradients to zero. */
  public void zeroGradients() {
    gradients.zero_();
  }

  /** The parameters in the order of the buffers. */
  List<Parameters.Parameter> ordered() {
    return ordered(parameters);
  }

  /** Zeros of the type and on the device of the weights, outside all scopes, shape (count). */
  Tensor zeros(long count) {
    try (TensorScope scope = TensorScope.open()) {
      return scope.disown(Tensors.zerosLike(values, count));
    }
  }

  /** Zeros of another type. */
  Tensor zeros(long count, ScalarType type) {
    try (TensorScope scope = TensorScope.open()) {
      return scope.disown(Tensors.zerosLike(values.narrow(0, 0, 0).to(type), count));
    }
  }

  /**
   * Updates all weights in pieces on the worker pool, and sets the gradients to zero.
   *
   * @param gradientFactor the gradients are multiplied by it first
   */
  void update(double gradientFactor, Update update) {
    if (onGpu()) {
      for (long start = 0; start < count(); start += PIECE_OF_GPU) {
        update(start, PIECE_OF_GPU, gradientFactor, update);
      }
      return;
    }
    WorkerPool workers = WorkerPool.get();
    long pieces = (count() - 1) / PIECE + 1;
    workers.runOnEach(
        thread -> {
          for (long piece = pieces * thread / workers.size();
              piece < pieces * (thread + 1) / workers.size();
              piece++) {
            update(piece * PIECE, PIECE, gradientFactor, update);
          }
        });
  }

  /** A piece may contain both weights with decay and weights without. */
  private void update(long start, long most, double gradientFactor, Update update) {
    long end = Math.min(start + most, count());
    long border = Math.max(start, Math.min(end, decaying));
    try (TensorScope scope = TensorScope.open()) {
      Tensor piece = gradients.narrow(0, start, end - start);
      if (gradientFactor != 1) {
        piece.mul_(Tensors.scalar(gradientFactor));
      }
      updateRange(start, border, true, update);
      updateRange(border, end, false, update);
      piece.zero_();
    }
  }

  private void updateRange(long from, long to, boolean decays, Update update) {
    if (from < to) {
      update.apply(
          values.narrow(0, from, to - from), gradients.narrow(0, from, to - from), from, decays);
    }
  }

  /** Runs the body on the worker pool for each parameter, by its number in {@link #ordered}. */
  void forEachParameter(IntConsumer body) {
    int count = ordered(parameters).size();
    if (onGpu()) {
      IntStream.range(0, count).forEach(body);
      return;
    }
    WorkerPool workers = WorkerPool.get();
    AtomicInteger next = new AtomicInteger();
    workers.runOnEach(
        thread -> {
          for (int i = next.getAndIncrement(); i < count; i = next.getAndIncrement()) {
            body.accept(i);
          }
        });
  }

  private boolean onGpu() {
    return !values.is_cpu();
  }

  /** The 2-norm of all gradients. */
  public double gradientNorm() {
    if (onGpu()) {
      return Tensors.norm(gradients);
    }
    WorkerPool workers = WorkerPool.get();
    // Squares of millions of elements, summed in 32 bits, lose percents of the sum. The pieces do
    // not depend on the number of threads, so neither does the sum.
    double[] squares = new double[Math.toIntExact((count() - 1) / NORM_PIECE + 1)];
    workers.runOnEach(
        thread -> {
          int end = (int) ((long) squares.length * (thread + 1) / workers.size());
          for (int i = (int) ((long) squares.length * thread / workers.size()); i < end; i++) {
            try (TensorScope scope = TensorScope.open()) {
              long start = i * NORM_PIECE;
              long count = Math.min(NORM_PIECE, count() - start);
              double norm = gradients.narrow(0, start, count).norm().item_double();
              squares[i] = norm * norm;
            }
          }
        });
    return Math.sqrt(DoubleStream.of(squares).reduce(0, Double::sum));
  }

  /**
   * The factor that scales gradients to a norm of at most {@code maxNorm}, as in PyTorch's {@code
   * clip_grad_norm_}; 1 if their norm is not larger.
   *
   * @param norm of the gradients
   * @param maxNorm largest allowed norm; 0 for no limit
   */
  public static double clip(double norm, double maxNorm) {
    return maxNorm > 0 && norm > maxNorm ? maxNorm / (norm + 1e-6) : 1;
  }

  /** The CRC-32C of the weights, to compare them with those of another process. */
  public long checksum() {
    return Tensors.checksum(values);
  }

  /** Whether no weight is infinite or NaN. */
  public boolean finite() {
    return Tensors.finite(values);
  }

  /** Frees the gradients and turns them off; the weights keep their values. */
  @Override
  public void close() {
    parameters.requireGradients(false);
    try (TensorScope scope = TensorScope.open()) {
      parameters.all().forEach(p -> p.tensor().mutable_grad().reset());
    }
    Tensors.free(values);
    Tensors.free(gradients);
  }
}
