package org.dpo4j.evaluate;

import java.util.List;
import java.util.Optional;
import org.dpo4j.data.RowOrigin;

/**
 * What became of a pair in the course of a run.
 *
 * @param pair its file and row, without a line
 * @param visits in the order of the steps, at least one
 */
public record PairHistory(RowOrigin pair, List<Visit> visits) {

  /**
   * A step with the pair, or an evaluation.
   *
   * @param step steps done, this one included
   * @param epoch passes over the data
   * @param margin reward margin before the step's update
   * @param loss of the pair
   * @param pull how strongly the loss pulled the pair apart; NaN in evaluations
   */
  public record Visit(int step, double epoch, double margin, double loss, double pull) {}

  public PairHistory {
    visits = List.copyOf(visits);
  }

  /** Without the evaluation before the first step; empty if there is no other visit. */
  public Optional<PairHistory> afterStart() {
    List<Visit> later = visits.stream().filter(visit -> visit.step() > 0).toList();
    return later.isEmpty() ? Optional.empty() : Optional.of(new PairHistory(pair, later));
  }

  /** The first visit. */
  public Visit first() {
    return visits.get(0);
  }

  /** The last visit. */
  public Visit last() {
    return visits.get(visits.size() - 1);
  }

  /** How often the sign of the margin changed. */
  public int flips() {
    int flips = 0;
    for (int i = 1; i < visits.size(); i++) {
      flips += (visits.get(i).margin() > 0) != (visits.get(i - 1).margin() > 0) ? 1 : 0;
    }
    return flips;
  }

  /** The mean of the margins. */
  public double meanMargin() {
    return visits.stream().mapToDouble(Visit::margin).average().orElseThrow();
  }

  /** The mean of the pulls. */
  public double meanPull() {
    return visits.stream().mapToDouble(Visit::pull).average().orElseThrow();
  }

  /** The sum of the losses. */
  public double loss() {
    return visits.stream().mapToDouble(Visit::loss).sum();
  }
}
