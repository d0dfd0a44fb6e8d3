package org.dpo4j.model;

import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * A layer that reads the tokens of a sequence in order and keeps a state, whose size does not grow
 * with the sequence. Its operations are recorded by autograd.
 */
public interface Recurrence {

  /**
   * What some tokens gave.
   *
   * @param output of each token, shape (sequences, tokens, width)
   * @param state after the last of them, each of shape (sequences, ...)
   */
  record Result(Tensor output, List<Tensor> state) {}

  /**
   * The state of one sequence before its first token.
   *
   * @param like gives type and device
   */
  List<Tensor> start(Tensor like);

  /**
   * Reads the next tokens of some sequences.
   *
   * @param input shape (sequences, tokens, width), at least one token
   * @param state of each sequence before these tokens; is not changed
   */
  Result read(Tensor input, List<Tensor> state);
}
