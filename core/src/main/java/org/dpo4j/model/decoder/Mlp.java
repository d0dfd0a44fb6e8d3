package org.dpo4j.model.decoder;

import org.dpo4j.model.Node;
import org.dpo4j.model.RouterLoss;
import org.jspecify.annotations.Nullable;

/** The part of a block after attention: each token by itself. */
interface Mlp {
  /**
   * Applies it: shape (tokens, hidden) in and out.
   *
   * @param routers takes the logits of a router; null if nobody needs them
   */
  Node apply(Node input, RouterLoss.@Nullable LogitsSink routers);
}
