package org.dpo4j.run;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.dpo4j.DpoException;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.PairTexts;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.evaluate.PairHistory;
import org.dpo4j.evaluate.Suspicion;
import org.dpo4j.evaluate.Suspicion.Suspect;
import org.dpo4j.report.Ledger;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.SafeText;
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
  private static final int MOST_MARGINS = 8;

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

  /** The median over the training pairs of their mean margins. */
  double medianMargin() {
    double[] margins =
        all.stream()
            .filter(this::isTraining)
            .mapToDouble(suspect -> suspect.history().meanMargin())
            .sorted()
            .toArray();
    return margins.length == 0 ? Double.NaN : margins[margins.length / 2];
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

  /**
   * The texts of pairs, as they are in the files now; a file that is gone or changed costs the
   * texts alone.
   *
   * @param trained options of the run, which name the files
   * @param output receives a note if a file cannot be read
   */
  static Map<RowOrigin, PairTexts> texts(
      List<Suspect> suspects, Optional<TrainingConfig> trained, RunOutput output) {
    Set<RowOrigin> wanted = new HashSet<>();
    suspects.forEach(suspect -> wanted.add(suspect.history().pair()));
    Map<RowOrigin, PairTexts> texts = new HashMap<>();
    if (trained.isEmpty() || wanted.isEmpty()) {
      return texts;
    }
    try {
      texts.putAll(PairTexts.read(trained.get().data().training(), wanted));
      trained
          .get()
          .data()
          .heldOut()
          .forEach(set -> texts.putAll(PairTexts.read(set.input(), wanted)));
    } catch (DpoException e) {
      output.note("the pairs are shown without their texts: " + e.text());
    }
    return texts;
  }

  /** The beginning of a text on one line. */
  static String excerpt(String text, int most) {
    String line = SafeText.line(text.strip());
    return line.codePointCount(0, line.length()) <= most
        ? line
        : line.substring(0, line.offsetByCodePoints(0, most)) + " ...";
  }

  /** The margins of a pair in the order of its visits, the first of them. */
  static String margins(PairHistory history) {
    String first =
        history.visits().stream()
            .limit(MOST_MARGINS)
            .map(visit -> format("%+.2f", visit.margin()))
            .collect(Collectors.joining(" "));
    return history.visits().size() > MOST_MARGINS ? first + " ..." : first;
  }

  private static double percent(List<PairHistory> pairs, Predicate<PairHistory> property) {
    return 100.0 * pairs.stream().filter(property).count() / pairs.size();
  }

  private static String format(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }
}
