package org.dpo4j.logprob;

import java.util.OptionalLong;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.model.CausalLm;

/** Forward and backward pass on the worker pool, with hand-written backward formulas. */
final class CpuEngine implements LogProbEngine {

  static final CpuEngine INSTANCE = new CpuEngine();

  private CpuEngine() {}

  @Override
  public LogProbPass forward(
      CausalLm model,
      FlatSequences sequences,
      LengthDesensitizing tail,
      Purpose purpose,
      OptionalLong dropoutSeed) {
    return model.hasTapedLayers() && model.parameters().like().is_cpu()
        ? CpuPass.forward(model, sequences, tail, purpose, HeadPass.Sizes.DEFAULT, dropoutSeed)
        : LogProbEngine.autograd().forward(model, sequences, tail, purpose, dropoutSeed);
  }

  @Override
  public String toString() {
    return "cpu";
  }
}
