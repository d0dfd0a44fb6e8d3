package org.dpo4j.weights;

import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Variations in the names of weights between checkpoints of a family.
 *
 * @param prefix may be absent in files, as in {@code transformer.}
 * @param buffers extra tensors of older checkpoints that hold no weights, without the prefix
 * @param tied set if the head is the embedding table; the file may then contain the head as well,
 *     with equal bytes
 * @param otherNames names that files may have instead of a weight's usual one
 */
record WeightRules(
    String prefix, Pattern buffers, Optional<TiedHead> tied, Map<String, String> otherNames) {

  /** Two names of one tensor: the model uses {@code embedding}. */
  record TiedHead(String head, String embedding) {}

  /** Rules with the names of the head's matrix and of the embedding table. */
  static WeightRules of(
      String prefix,
      String buffers,
      boolean tiedHead,
      String head,
      String embedding,
      Map<String, String> otherNames) {
    return new WeightRules(
        prefix,
        Pattern.compile(buffers),
        tiedHead ? Optional.of(new TiedHead(head, embedding)) : Optional.empty(),
        otherNames);
  }

  boolean isBuffer(String nameInFile) {
    return buffers.matcher(withoutPrefix(nameInFile)).matches();
  }

  String withoutPrefix(String name) {
    return name.startsWith(prefix) ? name.substring(prefix.length()) : name;
  }
}
