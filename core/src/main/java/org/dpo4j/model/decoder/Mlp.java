package org.dpo4j.model.decoder;

import org.dpo4j.model.Node;

/** The part of a block after attention: each token by itself. */
interface Mlp {
  /** Applies it: shape (tokens, hidden) in and out. */
  Node apply(Node input);
}
