package org.dpo4j.logprob;

import java.util.OptionalLong;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.model.CausalLm;

/**
 * Forward and backward pass by libtorch's operations and its autograd: any model, on the device of
 * its weights.
 */
final class AutogradEngine implements LogProbEngine {

  static final AutogradEngine INSTANCE = new AutogradEngine();

  private AutogradEngine() {}

  @Override
  public LogProbPass forward(
      CausalLm model,
      FlatSequences sequences,
      LengthDesensitizing tail,
      Purpose purpose,
      OptionalLong dropoutSeed) {
    return AutogradPass.forward(
        model, sequences, tail, purpose, AutogradPass.Sizes.DEFAULT, dropoutSeed);
  }

  @Override
  public String toString() {
    return "autograd";
  }
}
