package org.dpo4j.model.decoder;

import java.util.List;
import org.dpo4j.model.Activation;
import org.dpo4j.model.GatedConvolution;
import org.dpo4j.model.GatedDeltaRule;
import org.dpo4j.model.Linear;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.Parameters;
import org.dpo4j.model.Recurrence;

/**
 * A recurrence with the projections before and after it.
 *
 * @param inputs whose outputs, one after the other, are the input of the recurrence
 */
record RecurrenceParts(List<Linear> inputs, Recurrence recurrence, Linear output) {

  /**
   * Takes the weights of a block.
   *
   * @param hidden width of the hidden states
   * @param activation of the MLP, which a gated delta rule has too
   * @param epsilon of norms
   * @param prefix of all names
   */
  static RecurrenceParts take(
      Parameters parameters,
      ParameterSource source,
      RecurrenceConfig config,
      int hidden,
      Activation activation,
      double epsilon,
      String prefix) {
    String path = prefix + config.path() + ".";
    if (config instanceof RecurrenceConfig.ShortConvolution convolution) {
      boolean bias = convolution.bias();
      return new RecurrenceParts(
          List.of(Linear.take(parameters, source, path + "in_proj", hidden, 3L * hidden, bias)),
          GatedConvolution.take(
              parameters, source, path + "conv", hidden, convolution.kernel(), bias),
          Linear.take(parameters, source, path + "out_proj", hidden, hidden, bias));
    }
    RecurrenceConfig.GatedDelta delta = (RecurrenceConfig.GatedDelta) config;
    GatedDeltaRule.Heads heads = delta.heads();
    return new RecurrenceParts(
        List.of(
            Linear.take(parameters, source, path + "in_proj_qkv", hidden, heads.convolved(), false),
            Linear.take(parameters, source, path + "in_proj_z", hidden, heads.allValues(), false),
            Linear.take(parameters, source, path + "in_proj_b", hidden, heads.values(), false),
            Linear.take(parameters, source, path + "in_proj_a", hidden, heads.values(), false)),
        GatedDeltaRule.take(parameters, source, path, heads, delta.kernel(), activation, epsilon),
        Linear.take(parameters, source, path + "out_proj", heads.allValues(), hidden, false));
  }
}
