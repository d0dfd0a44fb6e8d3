package org.dpo4j.torch;

import org.bytedeco.pytorch.Generator;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A random stream of its own: the numbers of PyTorch's default generator after {@code
 * torch.manual_seed}, without using that generator, which the whole process shares. Not
 * thread-safe.
 */
public final class RandomNumbers implements AutoCloseable {

  private final Generator generator;

  /** The stream of a seed. */
  public RandomNumbers(long seed) {
    Engine.start();
    // It outlives the scope in which it is made.
    generator = NamedOperator.forever(torch.make_generator_cpu(seed));
  }

  /** Fills a tensor with numbers drawn uniformly from [from, to). */
  public void uniform(Tensor tensor, double from, double to) {
    try (TensorScope scope = TensorScope.open()) {
      tensor.uniform_(from, to, optional());
    }
  }

  /** Fills a tensor with numbers drawn from the standard normal distribution. */
  public void normal(Tensor tensor) {
    try (TensorScope scope = TensorScope.open()) {
      tensor.normal_(0, 1, optional());
    }
  }

  /** Fills a tensor with ones and zeros; each element is one with the given probability. */
  public void bernoulli(Tensor tensor, double probability) {
    try (TensorScope scope = TensorScope.open()) {
      tensor.bernoulli_(probability, optional());
    }
  }

  /** Frees the generator's few kilobytes. */
  @Override
  public void close() {
    generator.close();
  }

  private GeneratorOptional optional() {
    return new GeneratorOptional(generator);
  }
}
