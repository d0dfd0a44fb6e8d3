package org.dpo4j.run;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.Function;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.batch.TokenBudget;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.encode.ExampleDataset;
import org.dpo4j.model.ModelShape;
import org.dpo4j.plan.TokenLoad;

/**
 * The micro-batches of a run, which the seed determines before it starts.
 *
 * @param all micro-batches of all trained epochs, or of the first ones of a long run
 */
record MicroBatches(List<Batch> all) {

  private static final int LOOKED_AT = 100_000; // enough for a representative sample

  /**
   * Pairs with their load on the model.
   *
   * @param largestPiece the part of it that is in memory at once
   */
  record Batch(List<EncodedExample> pairs, TokenLoad load, TokenLoad largestPiece) {

    static Batch of(List<EncodedExample> pairs, ModelShape shape, boolean separable) {
      TokenLoad load = TokenLoad.of(pairs, shape);
      if (!separable || load.tokens() <= TokenBudget.TRAINING.tokens()) {
        return new Batch(pairs, load, load);
      }
      TokenLoad largest =
          TokenBudget.TRAINING.pieces(pairs, Function.identity()).stream()
              .map(piece -> TokenLoad.of(piece, shape))
              .max(Comparator.comparingLong(TokenLoad::tokens))
              .orElseThrow();
      return new Batch(pairs, load, largest);
    }
  }

  /**
   * @param plan of the run
   * @param steps of the run
   * @param separable whether micro-batches are computed in pieces
   */
  static MicroBatches of(
      ExampleDataset data, EpochPlan plan, int steps, ModelShape shape, boolean separable) {
    List<Batch> all = new ArrayList<>();
    int seen = 0;
    int done = 0;
    for (int epoch = 0; done < steps && seen < LOOKED_AT; epoch++) {
      for (List<int[]> step : plan.steps(epoch)) {
        if (done++ == steps) {
          break;
        }
        for (int[] indices : step) {
          List<EncodedExample> chosen =
              Arrays.stream(indices).boxed().flatMap(row -> data.row(row).stream()).toList();
          all.add(Batch.of(chosen, shape, separable));
          seen += indices.length;
        }
      }
    }
    return new MicroBatches(all);
  }

  /** The largest load in memory at once, by tokens. */
  TokenLoad largest() {
    return all.stream()
        .map(Batch::largestPiece)
        .max(Comparator.comparingLong(TokenLoad::tokens))
        .orElseThrow();
  }

  /** The median micro-batch by tokens. */
  Batch typical() {
    return all.stream()
        .sorted(Comparator.comparingLong(batch -> batch.load().tokens()))
        .toList()
        .get(all.size() / 2);
  }
}
