package org.dpo4j.run;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.dpo4j.DpoException;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.PairTexts;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.evaluate.PairHistory;
import org.dpo4j.evaluate.Suspicion;
import org.dpo4j.evaluate.Suspicion.Suspect;
import org.dpo4j.report.Ledger;
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

  /** The median over the training pairs of their mean margins, from which scores are counted. */
  double medianMargin() {
    return Suspicion.median(all.stream().filter(this::isTraining).map(Suspect::history).toList());
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
            "changes of sign: the margin of %.0f %% of the pairs changed its sign, that of %.0f %% more than once",
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
            "loss: the 10 %% of the pairs with the highest loss have %.0f %% of all loss",
            100 * top / all));
    lines.add(
        format(
            "gradient: %.0f %% of the pairs hardly contribute any more, with a pull below %s at their last visit (saturated)",
            percent(pairs, pair -> pair.last().pull() < SATURATED), ShortNumber.of(SATURATED)));
    return lines;
  }

  /**
   * Texts of pairs, as they are in the files now.
   *
   * @param of the pairs whose row is there
   * @param remarks sentences about texts that are missing, or may be those of other rows
   */
  record Texts(Map<RowOrigin, PairTexts> of, List<String> remarks) {}

  /**
   * Reads the texts of pairs. A file that is gone or damaged costs the texts alone.
   *
   * @param trained options of the run, which tell how its files are read
   */
  Texts texts(List<Suspect> suspects, Optional<TrainingConfig> trained) {
    Map<String, Set<RowOrigin>> wanted = new LinkedHashMap<>();
    for (Suspect suspect : suspects) {
      RowOrigin pair = suspect.history().pair();
      wanted.computeIfAbsent(pair.file(), file -> new HashSet<>()).add(pair);
    }
    Texts texts = new Texts(new HashMap<>(), new ArrayList<>());
    wanted.forEach((file, pairs) -> read(Path.of(file), pairs, trained, texts));
    return texts;
  }

  private void read(
      Path file, Set<RowOrigin> pairs, Optional<TrainingConfig> trained, Texts texts) {
    if (!Files.isRegularFile(file)) {
      texts.remarks.add(
          "[%s] is not there, so its pairs are shown without their texts; run this in the folder in which the run was started"
              .formatted(file));
      return;
    }
    try {
      if (ledger.isChanged(file)) {
        texts.remarks.add(
            "[%s] has changed since the run, so the texts shown may be those of other rows"
                .formatted(file));
      }
      Map<RowOrigin, PairTexts> found =
          PairTexts.read(
              trained
                  .map(options -> options.data().reading(file))
                  .orElseGet(() -> DataInput.of(file)),
              pairs);
      texts.of.putAll(found);
      if (found.size() < pairs.size()) {
        texts.remarks.add(
            "[%s] holds no pair any more in the rows of %d of the pairs, which are shown without their texts%s"
                .formatted(
                    file,
                    pairs.size() - found.size(),
                    trained.isPresent()
                        ? ""
                        : "; the run's %s, which tells how the rows are read, is not there"
                            .formatted(RunRecords.OPTIONS)));
      }
    } catch (DpoException e) {
      texts.remarks.add("the pairs are shown without their texts: " + e.text());
    }
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
