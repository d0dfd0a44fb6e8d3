package org.dpo4j.optim;

import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** Updates weights by their gradients. */
public interface Optimizer extends AutoCloseable {

  /** What an optimizer is made from. */
  sealed interface Settings permits AdamW.Settings, Lion.Settings, Adafactor.Settings {

    /** An optimizer before its first step, to be closed by the caller. */
    Optimizer create(FlatParameters parameters);
  }

  /**
   * Updates every weight by its gradient and sets the gradients to zero.
   *
   * @param learningRate of this step, not negative
   * @param gradientFactor the gradients are multiplied by it first; see {@link FlatParameters#clip}
   */
  void step(double learningRate, double gradientFactor);

  /** {@link #step(double, double)} with the gradients as they are. */
  default void step(double learningRate) {
    step(learningRate, 1);
  }

  /**
   * The state in the order of its names, fp32 vectors owned by the optimizer. Their values may be
   * replaced.
   */
  Map<String, Tensor> state();

  /** Continues after {@code done} updates, whose state the caller has put in place. */
  void continueAfter(int done);

  /** Frees the state. */
  @Override
  void close();
}
