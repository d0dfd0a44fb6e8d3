package org.dpo4j.run;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.evaluate.PairHistory;
import org.dpo4j.evaluate.PairedTest;
import org.dpo4j.report.Ledger;
import org.jspecify.annotations.Nullable;

/**
 * The held-out pairs that two runs have in common, by file and row, at the last evaluation of each.
 *
 * @param firstStep steps before the last evaluation of the first run
 * @param otherStep the same of the other run
 * @param pairs in the order of the first run
 */
record SharedPairs(int firstStep, int otherStep, List<Both> pairs) {

  /** A pair in both runs. */
  record Both(PairHistory first, PairHistory other) {

    boolean firstIsRight() {
      return first.last().margin() > 0;
    }

    boolean otherIsRight() {
      return other.last().margin() > 0;
    }

    private double apart() {
      return Math.abs(first.last().margin() - other.last().margin());
    }
  }

  /**
   * Finds them. A file is the same if its hash is, where both ledgers have hashes, else if its name
   * is.
   *
   * @param set the name of a held-out set in both
   */
  static SharedPairs of(Ledger first, Ledger other, String set) {
    boolean hashes = !first.files().isEmpty() && !other.files().isEmpty();
    List<PairHistory> old = last(first, set);
    Map<RowOrigin, PairHistory> byPlace = new HashMap<>();
    last(other, set).forEach(pair -> byPlace.put(place(pair, other, hashes), pair));
    List<Both> both = new ArrayList<>();
    for (PairHistory pair : old) {
      @Nullable PairHistory same = byPlace.get(place(pair, first, hashes));
      if (same != null) {
        both.add(new Both(pair, same));
      }
    }
    return both.isEmpty()
        ? new SharedPairs(0, 0, both)
        : new SharedPairs(both.get(0).first.last().step(), both.get(0).other.last().step(), both);
  }

  /** The pairs of the last evaluation after the start. */
  private static List<PairHistory> last(Ledger ledger, String set) {
    List<PairHistory> pairs = ledger.heldOut().getOrDefault(set, List.of());
    int last = pairs.stream().mapToInt(pair -> pair.last().step()).max().orElse(0);
    return pairs.stream().filter(pair -> last > 0 && pair.last().step() == last).toList();
  }

  /** A file that changed in the course of its run is like no other. */
  private static RowOrigin place(PairHistory pair, Ledger ledger, boolean hashes) {
    RowOrigin origin = pair.pair();
    String hash = hashes ? ledger.files().getOrDefault(origin.file(), "") : origin.file();
    String file = hash.isEmpty() ? origin.file() + " of " + System.identityHashCode(ledger) : hash;
    return new RowOrigin(file, 0, origin.row(), origin.rejectedIndex());
  }

  /** Whether the other run is right on more of them; there must be at least one. */
  PairedTest test() {
    boolean[] before = new boolean[pairs.size()];
    boolean[] after = new boolean[pairs.size()];
    for (int i = 0; i < before.length; i++) {
      before[i] = pairs.get(i).firstIsRight();
      after[i] = pairs.get(i).otherIsRight();
    }
    return PairedTest.of(before, after);
  }

  /** Those that one run alone is right on, the most different margins first. */
  List<Both> changed() {
    return pairs.stream()
        .filter(pair -> pair.firstIsRight() != pair.otherIsRight())
        .sorted(Comparator.comparingDouble(Both::apart).reversed())
        .toList();
  }
}
