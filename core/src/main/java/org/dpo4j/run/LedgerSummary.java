package org.dpo4j.run;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Predicate;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.evaluate.PairHistory;
import org.dpo4j.evaluate.Suspicion;
import org.dpo4j.evaluate.Suspicion.Suspect;
import org.dpo4j.report.Ledger;
import org.dpo4j.report.ShortNumber;

/**
 * What the histories of the pairs have in common, and those that stand out.
 *
 * @param ledger of the run
 * @param all pairs of all sets, the most suspicious first
 * @param threshold sigmas below the median
 */
record LedgerSummary(Ledger ledger, List<Suspect> all, double threshold, Set<RowOrigin> training) {

  private static final double SATURATED = 0.05;
  private static final int TENTH = 10;

  static LedgerSummary of(Ledger ledger, double threshold) {
    List<Suspect> all = new ArrayList<>(Suspicion.of(ledger.training()));
    ledger.heldOut().values().forEach(set -> all.addAll(Suspicion.of(set)));
    all.sort(Comparator.comparingDouble(Suspect::score));
    Set<RowOrigin> training = new HashSet<>();
    ledger.training().forEach(pair -> training.add(pair.pair()));
    return new LedgerSummary(ledger, all, threshold, training);
  }

  /** The pairs beyond the threshold, the most suspicious first. */
  List<Suspect> suspects() {
    return all.stream().filter(suspect -> suspect.score() <= -threshold).toList();
  }

  boolean isTraining(Suspect suspect) {
    return training.contains(suspect.history().pair());
  }

  /** The summary in lines. */
  List<String> lines() {
    List<PairHistory> pairs = ledger.training();
    List<String> lines = new ArrayList<>();
    int visits = pairs.stream().mapToInt(pair -> pair.visits().size()).sum();
    lines.add(
        format(
            "%s with %.1f visits each; %s",
            ShortNumber.count(pairs.size(), "training pair"),
            (double) visits / pairs.size(),
            ledger.heldOut().isEmpty()
                ? "no held-out pairs"
                : ShortNumber.count(ledger.allHeldOut().size(), "held-out pair")));
    lines.add(
        format(
            "positive margin: %.0f %% of the training pairs at their first visit, %.0f %% at their last",
            percent(pairs, pair -> pair.first().margin() > 0),
            percent(pairs, pair -> pair.last().margin() > 0)));
    lines.add(
        format(
            "changes of sign: %.0f %% of the pairs changed at least once, %.0f %% more than once",
            percent(pairs, pair -> pair.flips() > 0), percent(pairs, pair -> pair.flips() > 1)));
    double all = pairs.stream().mapToDouble(PairHistory::loss).sum();
    double top =
        pairs.stream()
            .mapToDouble(PairHistory::loss)
            .map(loss -> -loss)
            .sorted()
            .limit(Math.max(1, pairs.size() / TENTH))
            .map(loss -> -loss)
            .sum();
    lines.add(
        format(
            "loss: the tenth of the pairs with the most loss has %.0f %% of it", 100 * top / all));
    lines.add(
        format(
            "gradient: at its last visit, %.0f %% of the pairs pulled with less than %s of their beta (saturated)",
            percent(pairs, pair -> pair.last().pull() < SATURATED), ShortNumber.of(SATURATED)));
    return lines;
  }

  private static double percent(List<PairHistory> pairs, Predicate<PairHistory> property) {
    return 100.0 * pairs.stream().filter(property).count() / pairs.size();
  }

  private static String format(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }
}
