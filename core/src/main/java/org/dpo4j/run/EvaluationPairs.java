package org.dpo4j.run;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.dpo4j.encode.EncodingCounts;
import org.dpo4j.evaluate.ModelScores;
import org.dpo4j.evaluate.PairScore;
import org.dpo4j.evaluate.Slice;

/** The pairs of an evaluation, which are scored under one model after the other. */
public interface EvaluationPairs {

  /**
   * The scores of one model.
   *
   * @param pairs that it can use, in the order of the data
   * @param divergence from its reference, if it was measured
   * @param counts the fates of all pairs
   * @param summaryLines describe the data, in lines
   */
  record Scored(
      List<PairScore> pairs,
      Optional<ModelScores.Divergence> divergence,
      EncodingCounts counts,
      List<String> summaryLines) {}

  /** What the data is called. */
  String name();

  /** The files that they are read from, which a result must not replace. */
  List<Path> files();

  /**
   * Scores all pairs that a model can use.
   *
   * @throws org.dpo4j.DpoException if a row or a model cannot be used
   */
  Scored score(EvaluatedModel model);

  /**
   * Parts of the pairs, beside those by length; called when all models have scored.
   *
   * @param pairs some of those that the first model has scored, in their order
   */
  List<Slice> slices(List<PairScore> pairs);
}
