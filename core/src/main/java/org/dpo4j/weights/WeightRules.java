package org.dpo4j.weights;

import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * How names of weights in files differ from those in the model.
 *
 * @param inFiles beginnings of names in the model, and what files may have instead: {@code
 *     transformer.} may be absent, {@code lm_head.weight} may be {@code embed_out.weight}
 * @param buffers extra tensors of older checkpoints that hold no weights, by their names without
 *     those beginnings
 * @param tied set if the head is the embedding table; the file may then contain the head as well,
 *     with equal bytes
 * @param otherTowers beginnings of the names of tensors that are not of the text model
 */
record WeightRules(
    Map<String, String> inFiles,
    Pattern buffers,
    Optional<TiedHead> tied,
    Set<String> otherTowers) {

  /**
   * Two names of one tensor: the model uses {@code embedding}.
   *
   * @param yields whether a head in the file that differs is used, as if the config said that the
   *     two are not tied
   */
  record TiedHead(String head, String embedding, boolean yields) {}

  WeightRules {
    inFiles = Map.copyOf(inFiles);
    otherTowers = Set.copyOf(otherTowers);
  }

  /** The names that a weight of the model may have in a file; the usual one is first. */
  Stream<String> namesInFiles(String name) {
    return Stream.concat(
        Stream.of(name),
        inFiles.entrySet().stream()
            .filter(other -> name.startsWith(other.getKey()))
            .map(other -> other.getValue() + name.substring(other.getKey().length())));
  }

  boolean isBuffer(String nameInFile) {
    return Stream.concat(
            Stream.of(""),
            inFiles.entrySet().stream().flatMap(e -> Stream.of(e.getKey(), e.getValue())))
        .filter(nameInFile::startsWith)
        .anyMatch(start -> buffers.matcher(nameInFile.substring(start.length())).matches());
  }

  boolean isOfOtherTower(String nameInFile) {
    return otherTowers.stream().anyMatch(nameInFile::startsWith);
  }

  /** The same for a head with weights of its own. */
  WeightRules withOwnHead() {
    return new WeightRules(inFiles, buffers, Optional.empty(), otherTowers);
  }
}
