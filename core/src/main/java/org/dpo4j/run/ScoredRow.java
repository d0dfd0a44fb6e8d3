package org.dpo4j.run;

import java.util.LinkedHashMap;
import java.util.Map;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.encode.EncodedRow;
import org.dpo4j.logprob.PairLogProbs;
import org.jspecify.annotations.Nullable;

/**
 * A row with what {@code score} computes for it.
 *
 * @param row as it was encoded
 * @param logProbs of its completions in nats; empty if the row is dropped
 * @param reference the same under the reference; null without one
 * @param beta factor of the rewards
 */
@SuppressWarnings("ArrayRecordComponent") // one or two numbers of a row, passed on once
public record ScoredRow(
    EncodedRow row, double[] logProbs, double @Nullable [] reference, double beta) {

  /** The columns of the scores, in the order in which they are written; none of a dropped row. */
  public Map<String, Object> columns() {
    Map<String, Object> values = new LinkedHashMap<>();
    row.usable().ifPresent(example -> put(values, example));
    return values;
  }

  private void put(Map<String, Object> values, EncodedExample example) {
    if (!example.isPair()) {
      values.put("logps", logProbs[0]);
      values.put("tokens", example.completions().get(0).ids().length);
      if (reference != null) {
        values.put("ref_logps", reference[0]);
        values.put("rewards", reward(0));
      }
      return;
    }
    values.put("chosen_logps", logProbs[0]);
    values.put("rejected_logps", logProbs[1]);
    values.put("chosen_tokens", example.chosenIds().length);
    values.put("rejected_tokens", example.rejectedIds().length);
    if (reference != null) {
      values.put("ref_chosen_logps", reference[0]);
      values.put("ref_rejected_logps", reference[1]);
      values.put("rewards/chosen", reward(0));
      values.put("rewards/rejected", reward(1));
      values.put("rewards/margins", margin());
    }
  }

  /** beta x log-ratio; without a reference, the log-probability. */
  private double reward(int completion) {
    return reference == null
        ? logProbs[completion]
        : beta * (logProbs[completion] - reference[completion]);
  }

  private double margin() {
    return reward(0) - reward(1);
  }

  /** Adds the row to the totals, unless it is dropped. */
  void addTo(ScoreSummary summary) {
    row.usable().ifPresent(example -> add(example, summary));
  }

  private void add(EncodedExample example, ScoreSummary summary) {
    if (example.isPair()) {
      double size = Math.max(Math.abs(logProbs[0]), Math.abs(logProbs[1]));
      double scale = reference == null ? 1 : beta;
      summary.add(row.origin(), margin(), scale * PairLogProbs.ROUNDING * size);
    } else {
      summary.add(example.isDesirable(), reward(0), example.scoredTokens());
    }
  }
}
