package org.dpo4j.weights;

import java.util.Optional;
import java.util.regex.Pattern;

/**
 * How the names of a family's weights may differ between its checkpoints.
 *
 * @param prefix may be absent in files, as in {@code transformer.}
 * @param buffers extra tensors of older checkpoints that hold no weights, without the prefix
 * @param tied set where the head is the embedding table; the file may then have the head as well,
 *     with the same bytes
 */
record WeightRules(String prefix, Pattern buffers, Optional<TiedHead> tied) {

  /** Names that stand for one tensor: the model asks for {@code embedding} alone. */
  record TiedHead(String head, String embedding) {}

  private static final String HEAD = "lm_head.weight";

  /** Rules of a family whose head is called {@code lm_head.weight}. */
  static WeightRules of(String prefix, String buffers, boolean tiedHead, String embedding) {
    return new WeightRules(
        prefix,
        Pattern.compile(buffers),
        tiedHead ? Optional.of(new TiedHead(HEAD, embedding)) : Optional.empty());
  }

  boolean isBuffer(String nameInFile) {
    return buffers.matcher(withoutPrefix(nameInFile)).matches();
  }

  String withoutPrefix(String name) {
    return name.startsWith(prefix) ? name.substring(prefix.length()) : name;
  }
}
