package org.dpo4j.torch;

import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.NoGradGuard;

/** While open, operations on this thread record no gradients. */
public final class NoGrad implements AutoCloseable {

  private final NoGradGuard guard;

  private NoGrad() {
    guard = new NoGradGuard();
  }

  public static NoGrad open() {
    Engine.start();
    return new NoGrad();
  }

  /** Whether operations on this thread record gradients. */
  public static boolean gradientsOn() {
    Engine.start();
    return GradMode.is_enabled();
  }

  @Override
  public void close() {
    guard.close();
  }
}
