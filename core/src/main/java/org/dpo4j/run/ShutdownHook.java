package org.dpo4j.run;

import org.dpo4j.checkpoint.OutputFolder;

/** Removes a pending output folder when the process is stopped (Ctrl-C) in the middle of a run. */
final class ShutdownHook implements AutoCloseable {

  private final Thread thread;

  private ShutdownHook(Thread thread) {
    this.thread = thread;
  }

  static ShutdownHook closing(OutputFolder folder) {
    Thread thread = new Thread(folder::close, "remove pending output");
    Runtime.getRuntime().addShutdownHook(thread);
    return new ShutdownHook(thread);
  }

  @Override
  public void close() {
    try {
      Runtime.getRuntime().removeShutdownHook(thread);
    } catch (IllegalStateException e) {
      // The process is being stopped: the hook runs already.
    }
  }
}
