package org.dpo4j.report;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.DoubleStream;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.data.BoundedJson;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/**
 * What the numbers of single pairs say about a run, where its means say nothing: that the
 * preference follows length. Thresholds are as those of {@link Diagnoses}; {@code
 * PairDiagnosesTest} has the runs.
 *
 * <p>Reads {@code ledger.jsonl} once, and keeps two numbers for each held-out pair.
 */
public final class PairDiagnoses {

  /** Held-out pairs whose chosen answer is the longer one, and pairs in which it is the shorter. */
  private static final int FEWEST_OF_LENGTH = 5;

  private static final double GAP = 0.4;

  /** How many times as many pairs the favoured length has: else the data teach no length. */
  private static final int MAJORITY = 2;

  private final Map<String, HeldOutSet> heldOut = new LinkedHashMap<>();

  /** The last evaluation of a set, and the lengths that its first one has. */
  private static final class HeldOutSet {
    private final Map<String, Integer> longerBy = new HashMap<>();
    private final Map<String, Double> margins = new HashMap<>();
    private int step = -1;
  }

  private PairDiagnoses() {}

  /**
   * The diagnosis of a run of pairs; none without its ledger.
   *
   * @param ledger the file; need not exist
   * @param history of the same run
   */
  public static Optional<String> of(Path ledger, RunHistory history) {
    if (history.kind() != ExampleKind.PAIRS || !Files.isRegularFile(ledger)) {
      return Optional.empty();
    }
    PairDiagnoses diagnoses = new PairDiagnoses();
    try (BufferedReader lines = Files.newBufferedReader(ledger, StandardCharsets.UTF_8)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        diagnoses.add(line);
      }
    } catch (IOException e) {
      return Optional.empty(); // the command ledger says what is wrong with it
    }
    return diagnoses.length();
  }

  private void add(String text) {
    JsonNode line;
    try {
      line = BoundedJson.LENIENT.readTree(text);
    } catch (JacksonException e) {
      return; // cut when the process ended
    }
    String set = line.path("set").asString("");
    JsonNode margins = line.path("margins");
    if (set.equals(LedgerFile.TRAINING)) {
      return;
    }
    HeldOutSet pairs = heldOut.computeIfAbsent(set, name -> new HeldOutSet());
    int step = line.path("step").asInt(0);
    if (step != pairs.step) {
      pairs.step = step;
      pairs.margins.clear();
    }
    for (int i = 0; i < margins.size(); i++) {
      String pair =
          "%s:%s:%s"
              .formatted(
                  line.path("file").asString(""),
                  line.path("rows").path(i),
                  line.path("rejected").path(i));
      pairs.margins.put(pair, number(margins.path(i)));
      if (line.has("chosen_tokens")) {
        pairs.longerBy.put(
            pair,
            line.path("chosen_tokens").path(i).asInt(0)
                - line.path("rejected_tokens").path(i).asInt(0));
      }
    }
  }

  private static double number(JsonNode value) {
    return value.isNumber() ? value.asDouble() : Double.NaN;
  }

  private Optional<String> length() {
    for (Map.Entry<String, HeldOutSet> set : heldOut.entrySet()) {
      Group longer = group(set.getValue(), 1);
      Group shorter = group(set.getValue(), -1);
      boolean preferLong = longer.accuracy() > shorter.accuracy();
      Group better = preferLong ? longer : shorter;
      Group worse = preferLong ? shorter : longer;
      if (Math.min(longer.count, shorter.count) >= FEWEST_OF_LENGTH
          && better.count >= MAJORITY * worse.count
          && better.accuracy() - worse.accuracy() >= GAP
          && worse.mean() < 0
          && better.mean() > 0) {
        return Optional.of(
            OptionText.of(
                "the preference follows length: of the held-out pairs%s whose chosen answer is longer %s are right (%,d pairs, mean margin %s), of those whose chosen answer is shorter %s (%,d pairs, %s); balance the lengths of the training pairs, or lower {ld_alpha}",
                set.getKey().equals(LedgerFile.HELD_OUT) ? "" : " of " + set.getKey(),
                percent(longer.accuracy()),
                longer.count,
                ShortNumber.fixed("%+.2f", longer.mean()),
                percent(shorter.accuracy()),
                shorter.count,
                ShortNumber.fixed("%+.2f", shorter.mean())));
      }
    }
    return Optional.empty();
  }

  /** The pairs of a set whose chosen answer is longer (1) or shorter (-1) than the rejected one. */
  private static Group group(HeldOutSet set, int sign) {
    double[] margins =
        set.margins.entrySet().stream()
            .filter(pair -> Integer.signum(set.longerBy.getOrDefault(pair.getKey(), 0)) == sign)
            .mapToDouble(Map.Entry::getValue)
            .filter(Double::isFinite)
            .toArray();
    return new Group(
        margins.length,
        (int) DoubleStream.of(margins).filter(margin -> margin > 0).count(),
        DoubleStream.of(margins).sum());
  }

  private record Group(int count, int right, double sum) {
    double accuracy() {
      return count == 0 ? 0 : (double) right / count;
    }

    double mean() {
      return count == 0 ? 0 : sum / count;
    }
  }

  private static String percent(double share) {
    return ShortNumber.fixed("%.0f", 100 * share) + " %";
  }
}
