package org.dpo4j.torch;

import org.bytedeco.pytorch.Generator;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A stream of random numbers that nobody else draws from. It gives what PyTorch's default generator
 * gives after {@code torch.manual_seed}, which belongs to the whole process and is not used here.
 * For one thread at a time.
 */
public final class RandomNumbers implements AutoCloseable {

  private final Generator generator;

  /** The stream of a seed, at its beginning. */
  public RandomNumbers(long seed) {
    Engine.start();
    // No scope knows how long it is needed.
    generator = NamedOperator.forever(torch.make_generator_cpu(seed));
  }

  /** Fills a tensor with numbers evenly spread over [from, to). */
  public void uniform(Tensor tensor, double from, double to) {
    try (TensorScope scope = TensorScope.open()) {
      tensor.uniform_(from, to, optional());
    }
  }

  /** Fills a tensor with normally distributed numbers of mean 0 and variance 1. */
  public void normal(Tensor tensor) {
    try (TensorScope scope = TensorScope.open()) {
      tensor.normal_(0, 1, optional());
    }
  }

  /** Fills a tensor with ones, drawn with the given probability, and zeros. */
  public void bernoulli(Tensor tensor, double probability) {
    try (TensorScope scope = TensorScope.open()) {
      tensor.bernoulli_(probability, optional());
    }
  }

  /** Frees a few kilobytes; else the collector does. */
  @Override
  public void close() {
    generator.close();
  }

  private GeneratorOptional optional() {
    return new GeneratorOptional(generator);
  }
}
