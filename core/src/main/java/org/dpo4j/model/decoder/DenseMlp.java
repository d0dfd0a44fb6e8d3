package org.dpo4j.model.decoder;

import java.util.List;
import org.dpo4j.model.Activation;
import org.dpo4j.model.Linear;
import org.dpo4j.model.Node;
import org.dpo4j.model.RouterLoss;
import org.jspecify.annotations.Nullable;

/**
 * An MLP that all tokens take.
 *
 * @param inputs one projection, or two of which the first is the gate
 */
record DenseMlp(Projections inputs, Activation activation, Linear output) implements Mlp {

  @Override
  public Node apply(Node input, RouterLoss.@Nullable LogitsSink routers) {
    return output.apply(inner(input));
  }

  /** The states between inputs and output. */
  Node inner(Node input) {
    if (inputs.widths().size() == 1) {
      return activation.apply(inputs.apply(input).get(0));
    }
    List<Node> parts = inputs.applyInArena(input);
    return activation.gated(parts.get(0), parts.get(1));
  }
}
