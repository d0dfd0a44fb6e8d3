package org.dpo4j.evaluate;

import java.io.Serializable;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.dpo4j.data.RowOrigin;

/**
 * The scores of one model.
 *
 * @param model as the user named it
 * @param reference as the user named it, or as the model's own files do
 * @param beta scale of the rewards, above 0
 * @param pairs in the order of the data
 * @param kl divergence from the reference, if it was measured
 */
public record ModelScores(
    String model,
    Optional<String> reference,
    double beta,
    List<PairScore> pairs,
    Optional<Divergence> kl) {

  /**
   * The mean Kullback-Leibler divergence of the model's next-token distributions from the
   * reference's, on chosen completions.
   *
   * @param perToken in nats
   * @param tokens on which it was measured
   * @param pairs that they are from, spread over the data
   */
  public record Divergence(double perToken, long tokens, int pairs) implements Serializable {

    /** That of several parts of the data; empty if no part has one. */
    public static Optional<Divergence> of(Collection<Divergence> parts) {
      long tokens = parts.stream().mapToLong(Divergence::tokens).sum();
      double sum = parts.stream().mapToDouble(part -> part.perToken * part.tokens).sum();
      int pairs = parts.stream().mapToInt(Divergence::pairs).sum();
      return tokens == 0
          ? Optional.empty()
          : Optional.of(new Divergence(sum / tokens, tokens, pairs));
    }
  }

  public ModelScores {
    pairs = List.copyOf(pairs);
  }

  /** The pairs that every model has scored: tokenizers differ in what is too long. */
  public static List<ModelScores> common(List<ModelScores> models) {
    Set<RowOrigin> shared = null;
    for (ModelScores model : models) {
      Set<RowOrigin> rows = new HashSet<>();
      model.pairs.forEach(pair -> rows.add(pair.origin()));
      if (shared == null) {
        shared = rows;
      } else {
        shared.retainAll(rows);
      }
    }
    Set<RowOrigin> kept = shared == null ? Set.of() : shared;
    return models.stream()
        .map(
            model ->
                new ModelScores(
                    model.model,
                    model.reference,
                    model.beta,
                    model.pairs.stream().filter(pair -> kept.contains(pair.origin())).toList(),
                    model.kl))
        .toList();
  }
}
