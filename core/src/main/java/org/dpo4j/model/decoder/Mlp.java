package org.dpo4j.model.decoder;

import java.util.List;
import org.dpo4j.model.Activation;
import org.dpo4j.model.Linear;
import org.dpo4j.model.Node;

/**
 * The MLP of a block.
 *
 * @param inputs one projection, or two of which the first is the gate
 */
record Mlp(Projections inputs, Activation activation, Linear output) {

  /** Applies the MLP: shape (tokens, hidden) in and out. */
  Node apply(Node input) {
    if (inputs.widths().size() == 1) {
      return output.apply(activation.apply(inputs.apply(input).get(0)));
    }
    List<Node> parts = inputs.applyInArena(input);
    return output.apply(activation.gated(parts.get(0), parts.get(1)));
  }
}
