package org.dpo4j.torch;

import org.bytedeco.pytorch.AutoGradMode;

/** While open, operations on this thread record gradients, also within a {@link NoGrad}. */
public final class EnableGrad implements AutoCloseable {

  private final AutoGradMode guard;

  private EnableGrad() {
    guard = new AutoGradMode(true);
  }

  public static EnableGrad open() {
    Engine.start();
    return new EnableGrad();
  }

  @Override
  public void close() {
    guard.close();
  }
}
