package org.dpo4j.run;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.PriorityQueue;
import org.dpo4j.ExampleKind;
import org.dpo4j.OptionText;
import org.dpo4j.data.RowOrigin;

/**
 * Totals over scored pairs, and the pairs with the lowest margins, which are the first to check by
 * hand.
 */
final class ScoreSummary {

  private static final int MOST_SHOWN = 10;

  private final boolean rewards;
  private final PriorityQueue<Scored> lowest =
      new PriorityQueue<>(Comparator.comparingDouble(Scored::margin).reversed());
  private final ExampleKind kind;
  private final Sums ofDesirable = new Sums();
  private final Sums ofUndesirable = new Sums();
  private int pairs;
  private int positive;
  private double sum;

  private record Scored(RowOrigin origin, double margin) {}

  /**
   * @param kind of the examples
   * @param rewards whether margins are reward margins, relative to a reference; else they are
   *     differences of the model's log-probabilities
   */
  ScoreSummary(boolean rewards, ExampleKind kind) {
    this.rewards = rewards;
    this.kind = kind;
  }

  /**
   * Adds a single completion.
   *
   * @param value its reward, or its log-probability without a reference
   * @param tokens scored ones
   */
  void add(boolean desirable, double value, int tokens) {
    (desirable ? ofDesirable : ofUndesirable).add(value, tokens);
  }

  /** Sums over completions with one label. */
  private static final class Sums {
    private int completions;
    private long tokens;
    private double values;

    void add(double value, int scored) {
      completions++;
      tokens += scored;
      values += value;
    }
  }

  /**
   * Adds a pair.
   *
   * @param rounding rounding error up to which a margin is a tie, at least 0
   */
  void add(RowOrigin origin, double margin, double rounding) {
    pairs++;
    positive += margin > rounding ? 1 : 0;
    sum += margin;
    lowest.add(new Scored(origin, margin));
    if (lowest.size() > MOST_SHOWN) {
      lowest.remove(); // the highest of them
    }
  }

  /** The summary of all examples, in sentences. */
  List<String> lines() {
    return switch (kind) {
      case PAIRS -> ofPairs();
      case LABELED ->
          List.of(words("desirable ", ofDesirable), words("undesirable ", ofUndesirable));
      case DEMONSTRATIONS ->
          List.of(
              rewards
                  ? words("", ofDesirable)
                  : String.format(
                      Locale.ROOT,
                      "%d completions, perplexity %.3f over %,d tokens",
                      ofDesirable.completions,
                      Math.exp(-ofDesirable.values / ofDesirable.tokens),
                      ofDesirable.tokens));
    };
  }

  private String words(String label, Sums sums) {
    return sums.completions == 0
        ? "no %scompletion".formatted(label)
        : String.format(
            Locale.ROOT,
            rewards ? "%d %scompletions: mean reward %+.3f" : "%d %scompletions: mean %+.3f nats",
            sums.completions,
            label,
            sums.values / sums.completions);
  }

  private List<String> ofPairs() {
    if (pairs == 0) {
      return List.of("no pair could be scored");
    }
    List<String> lines = new ArrayList<>();
    lines.add(
        String.format(
            Locale.ROOT,
            rewards
                ? "accuracy: in %d of %d pairs (%.1f %%) the model prefers the chosen answer more than"
                    + " the reference does; mean reward margin %+.3f"
                : "in %d of %d pairs (%.1f %%) the chosen answer is the likelier one; mean margin"
                    + " %+.3f nats",
            positive,
            pairs,
            100.0 * positive / pairs,
            sum / pairs));
    if (!rewards) {
      // Without a reference, the margin mostly reflects which answer is shorter.
      lines.add(
          OptionText.of("no rewards without a reference: pass the start model as {ref_model}"));
      return lines;
    }
    List<Scored> shown =
        lowest.stream()
            .sorted(Comparator.comparingDouble(Scored::margin))
            .limit(pairs / 5)
            .toList();
    boolean ties = positive == 0 && shown.stream().allMatch(pair -> pair.margin == 0);
    if (!shown.isEmpty() && !ties) {
      lines.add(
          positive < pairs
              ? "lowest reward margins; check these pairs for swapped or broken answers:"
              : "lowest reward margins, all of them positive:");
      shown.forEach(
          pair -> lines.add(String.format(Locale.ROOT, "  %+.3f  %s", pair.margin, pair.origin)));
    }
    return lines;
  }
}
