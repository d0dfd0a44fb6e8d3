package org.dpo4j.model.decoder;

import org.bytedeco.pytorch.Tensor;
import org.dpo4j.model.Activation;
import org.dpo4j.model.ExpertMatrices;
import org.dpo4j.model.ExpertSlot;
import org.dpo4j.model.Linear;
import org.dpo4j.model.Node;
import org.dpo4j.model.RouterLoss;
import org.dpo4j.model.Routing;
import org.jspecify.annotations.Nullable;

/**
 * MLPs of which each token takes those with the largest router logits, weighted by the softmax of
 * the logits. The weights scale the inner states: then their gradient needs no outputs.
 *
 * @param router from (tokens, hidden) to (tokens, experts)
 * @param chosen number of experts that a token takes
 * @param renormalized whether the softmax is over the chosen experts instead of all
 * @param inputs from (uses, hidden) to the inner states, (uses, width)
 * @param outputs from the inner states to (uses, hidden)
 * @param outputBias shape (experts, hidden); null for none
 * @param slot where an adapter changes the outputs
 * @param shared added for all tokens; null for none
 */
record Experts(
    Linear router,
    int chosen,
    boolean renormalized,
    Inputs inputs,
    ExpertMatrices outputs,
    @Nullable Tensor outputBias,
    ExpertSlot slot,
    @Nullable Shared shared)
    implements Mlp {

  /** From the rows of the experts to their inner states. */
  sealed interface Inputs permits Gated, Clamped {
    Node apply(Node rows, Routing routing);
  }

  /**
   * An activation of gates and inputs.
   *
   * @param width of either
   * @param slot where an adapter changes gates and inputs, beside each other
   */
  record Gated(
      ExpertMatrices gate, ExpertMatrices up, Activation activation, int width, ExpertSlot slot)
      implements Inputs {

    @Override
    public Node apply(Node rows, Routing routing) {
      ExpertSlot.Products added = slot.products(rows, routing);
      Node g = added.addTo(gate.applyInArena(rows, routing), 0, width);
      Node u = added.addTo(up.applyInArena(rows, routing), width, width);
      return activation.gated(g, u);
    }
  }

  /**
   * The activation of gpt-oss, of interleaved gates and inputs.
   *
   * @param bias shape (experts, 2 width)
   * @param slot where an adapter changes gates and inputs, interleaved
   */
  record Clamped(ExpertMatrices both, Tensor bias, ClampedActivation activation, ExpertSlot slot)
      implements Inputs {

    @Override
    public Node apply(Node rows, Routing routing) {
      ExpertSlot.Products added = slot.products(rows, routing);
      Node sum = added.addTo(both.apply(rows, routing));
      return activation.apply(routing.plusBias(sum, bias));
    }
  }

  /**
   * An MLP that all tokens take, times the sigmoid of a gate of its own.
   *
   * @param gate from (tokens, hidden) to (tokens, 1)
   */
  record Shared(Linear gate, DenseMlp mlp) {
    Node apply(Node input) {
      Node share = gate.apply(input).sigmoid();
      return mlp.output().apply(mlp.inner(input).timesRows(share));
    }
  }

  @Override
  public Node apply(Node input, RouterLoss.@Nullable LogitsSink routers) {
    Node logits = router.apply(input);
    if (routers != null) {
      routers.add(logits);
    }
    Routing routing = Routing.of(logits, chosen, renormalized);
    Node inner = inputs.apply(routing.spread(input), routing).timesRows(routing.weights());
    ExpertSlot.Products added = slot.products(inner, routing);
    Node sum = routing.collect(added.addTo(outputs.apply(inner, routing)));
    Node all = outputBias == null ? sum : sum.plus(routing.weightedSum(outputBias));
    return shared == null ? all : all.plus(shared.apply(input));
  }
}
