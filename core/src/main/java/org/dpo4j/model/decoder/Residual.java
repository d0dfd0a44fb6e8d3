package org.dpo4j.model.decoder;

import org.dpo4j.model.Node;
import org.dpo4j.model.Norm;
import org.dpo4j.model.RouterLoss;
import org.jspecify.annotations.Nullable;

/**
 * The residual stream of a block: its norms, sums and MLP around the token mixer.
 *
 * @param scale factor of what is added to the stream
 * @param parallel whether the MLP reads the input of the block
 * @param before norm of the input; null for none
 * @param after norm of the token mixer's output; null for none
 * @param beforeMlp null for none
 * @param afterMlp null for none
 */
record Residual(
    double scale,
    boolean parallel,
    @Nullable Norm before,
    @Nullable Norm after,
    @Nullable Norm beforeMlp,
    Mlp mlp,
    @Nullable Norm afterMlp) {

  /** What the block's projections read. */
  Node input(Node states) {
    return normed(states, before);
  }

  /** The output of the block, given the projected output of the token mixer. */
  Node finish(Node states, Node mixed, RouterLoss.@Nullable LogitsSink routers) {
    Node sum = states.plus(normed(mixed, after).times(scale));
    Node read = parallel ? states : sum;
    return sum.plus(normed(mlp.apply(normed(read, beforeMlp), routers), afterMlp).times(scale));
  }

  private static Node normed(Node states, @Nullable Norm norm) {
    return norm == null ? states : norm.apply(states);
  }
}
