package org.dpo4j.config;

import org.dpo4j.logprob.LogProbEngine;

/** The names of {@code --engine}: which code computes log-probabilities and gradients. */
enum EngineType {
  /** The hand-written forward and backward pass. */
  CPU,
  /** libtorch's operations and its autograd. */
  AUTOGRAD;

  /** The engine of that name. */
  public LogProbEngine engine() {
    return switch (this) {
      case CPU -> LogProbEngine.cpu();
      case AUTOGRAD -> LogProbEngine.autograd();
    };
  }
}
