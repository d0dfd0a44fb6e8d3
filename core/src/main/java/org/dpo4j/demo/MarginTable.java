package org.dpo4j.demo;

import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/**
 * The log-probabilities that one model gives to both answers of each triple.
 *
 * @param rows one per triple, in order
 */
public record MarginTable(List<Row> rows) {

  private static final int PROMPT_WIDTH = 24;

  /**
   * One triple.
   *
   * @param triple the texts
   * @param chosenLogProb log pi(y_w given x), in nats
   * @param rejectedLogProb log pi(y_l given x), in nats
   */
  public record Row(PreferenceTriple triple, double chosenLogProb, double rejectedLogProb) {

    /** log pi(y_w given x) - log pi(y_l given x), in nats; no reference in it. */
    public double margin() {
      return chosenLogProb - rejectedLogProb;
    }
  }

  public MarginTable {
    rows = List.copyOf(rows);
  }

  /** The mean margin over all triples, in nats. */
  public double meanMargin() {
    return mean(Row::margin);
  }

  /** The mean log-probability of the chosen answers, in nats. */
  public double meanChosenLogProb() {
    return mean(Row::chosenLogProb);
  }

  /** The mean log-probability of the rejected answers, in nats. */
  public double meanRejectedLogProb() {
    return mean(Row::rejectedLogProb);
  }

  /** The share of triples, in [0, 1], whose chosen answer is the more likely one. */
  public double accuracy() {
    return mean(row -> row.margin() > 0 ? 1 : 0);
  }

  private double mean(ToDoubleFunction<Row> figure) {
    return rows.stream().mapToDouble(figure).average().orElse(Double.NaN);
  }

  /** One line per triple: prompt, both log-probabilities, margin. */
  @Override
  public String toString() {
    StringBuilder text =
        new StringBuilder(
            String.format("%-24s %9s %9s %9s%n", "prompt", "chosen", "rejected", "margin"));
    for (Row row : rows) {
      text.append(
          String.format(
              Locale.ROOT,
              "%-24s %9.2f %9.2f %+9.2f%n",
              shortened(row.triple().prompt()),
              row.chosenLogProb(),
              row.rejectedLogProb(),
              row.margin()));
    }
    return text.toString();
  }

  static String shortened(String prompt) {
    return prompt.length() <= PROMPT_WIDTH ? prompt : prompt.substring(0, PROMPT_WIDTH - 1) + "…";
  }
}
