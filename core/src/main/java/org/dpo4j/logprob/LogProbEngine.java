package org.dpo4j.logprob;

import java.util.OptionalLong;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.model.CausalLm;

/**
 * Computes log-probabilities of completions, token statistics, and the gradients of a model's
 * weights. Engines differ in speed, memory and devices; their numbers are equal up to rounding, and
 * {@link SequenceLogProbs} defines them.
 *
 * <p>An engine has no state. Any number of passes may be open at a time, in any threads.
 */
public interface LogProbEngine {

  /** A training pass saves the exponentials of all logits if they take at most this many bytes. */
  long KEPT_BYTES = 256L << 20;

  /** Which results of a pass are used; an engine skips the others. */
  enum Purpose {
    /** Sums of log-probabilities. */
    SUMS,
    /** Sums and token statistics. */
    STATISTICS,
    /** Sums, token statistics and the backward pass. */
    TRAINING,
    /** As {@link #TRAINING}; the backward pass may recompute activations to save memory. */
    CHECKPOINTED_TRAINING;

    /** Whether there is a backward pass. */
    boolean trains() {
      return this == TRAINING || this == CHECKPOINTED_TRAINING;
    }
  }

  /**
   * The engine for the CPU: hand-written backward formulas on the worker pool. A model without
   * {@linkplain CausalLm#hasTapedLayers taped layers}, or on a GPU, is computed as by {@link
   * #autograd}.
   */
  static LogProbEngine cpu() {
    return CpuEngine.INSTANCE;
  }

  /**
   * The engine for any device: libtorch's operations on the device of the model's weights, and its
   * autograd. {@link Purpose#CHECKPOINTED_TRAINING} recomputes logits alone.
   */
  static LogProbEngine autograd() {
    return AutogradEngine.INSTANCE;
  }

  /**
   * Runs the forward pass without dropout: {@link #forward(CausalLm, FlatSequences,
   * LengthDesensitizing, Purpose, OptionalLong)} without a seed.
   */
  default LogProbPass forward(
      CausalLm model, FlatSequences sequences, LengthDesensitizing tail, Purpose purpose) {
    return forward(model, sequences, tail, purpose, OptionalLong.empty());
  }

  /**
   * Runs the forward pass.
   *
   * @param model must not change while the pass is open
   * @param sequences the batch; sequence 2i and 2i + 1 are a pair if {@code tail} weights tokens
   * @param tail the token weights of {@link LogProbPass#weightedSums}
   * @param purpose which results are used
   * @param dropoutSeed seed of the dropout masks, which are the same with every engine and number
   *     of threads; empty for a pass without dropout
   * @return the pass, to be closed by the caller
   * @throws org.dpo4j.DpoException if a token id or position is outside the model's range
   */
  LogProbPass forward(
      CausalLm model,
      FlatSequences sequences,
      LengthDesensitizing tail,
      Purpose purpose,
      OptionalLong dropoutSeed);
}
