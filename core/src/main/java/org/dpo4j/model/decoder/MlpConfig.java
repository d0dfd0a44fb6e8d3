package org.dpo4j.model.decoder;

import java.util.List;
import org.dpo4j.model.Activation;

/**
 * The MLP of a block. Names are those in the block.
 *
 * @param width of its inner states
 * @param activation between its matrices
 * @param gated whether the inner states are activation(gate) x up, as in Llama; else activation(up)
 * @param inputs names of the gate and of the matrix up; one name for both together, gate first, and
 *     for an MLP without a gate
 * @param inputBias whether they have biases
 * @param output name of the matrix down
 * @param outputBias whether it has a bias
 */
public record MlpConfig(
    int width,
    Activation activation,
    boolean gated,
    List<String> inputs,
    boolean inputBias,
    String output,
    boolean outputBias) {

  public MlpConfig {
    inputs = List.copyOf(inputs);
    if (inputs.isEmpty() || inputs.size() > (gated ? 2 : 1)) {
      throw new IllegalArgumentException(
          "an MLP %s gate cannot have %s".formatted(gated ? "with a" : "without", inputs));
    }
  }

  /** The same with another activation. */
  public MlpConfig withActivation(Activation other) {
    return new MlpConfig(width, other, gated, inputs, inputBias, output, outputBias);
  }

  /** An MLP with a gate. */
  public MlpConfig withGate(String gate, String up) {
    return new MlpConfig(width, activation, true, List.of(gate, up), inputBias, output, outputBias);
  }

  /** An MLP with gate and up in one matrix. */
  public MlpConfig withJoinedGate(String gateAndUp) {
    return new MlpConfig(
        width, activation, true, List.of(gateAndUp), inputBias, output, outputBias);
  }

  /** An MLP without a gate. */
  public MlpConfig withoutGate(String up) {
    return new MlpConfig(width, activation, false, List.of(up), inputBias, output, outputBias);
  }

  /** The same with another matrix down. */
  public MlpConfig withOutput(String down) {
    return new MlpConfig(width, activation, gated, inputs, inputBias, down, outputBias);
  }

  /** The same with biases everywhere or nowhere. */
  public MlpConfig withBiases(boolean biased) {
    return withBiases(biased, biased);
  }

  /** The same with other biases. */
  public MlpConfig withBiases(boolean ofInputs, boolean ofOutput) {
    return new MlpConfig(width, activation, gated, inputs, ofInputs, output, ofOutput);
  }
}
