package org.dpo4j.run;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.dpo4j.survey.DataSurvey;
import org.dpo4j.survey.LengthBias;
import org.dpo4j.survey.LengthCounts;

/** The totals of a data set in lines for people. */
final class SurveyLines {
  private static final double[] SHARES = {0.05, 0.5, 0.9, 0.95, 0.99};
  private static final int BARS = 10;
  private static final int BAR_WIDTH = 40;

  /** Lengths from which the last bar starts: the few longest would squeeze all others into one. */
  private static final double LAST_BAR = 0.99;

  private final DataSurvey survey;
  private final String noun;
  private final List<String> lines = new ArrayList<>();

  private SurveyLines(DataSurvey survey, String noun) {
    this.survey = survey;
    this.noun = noun;
  }

  /** Lengths, boundaries, likeness and hints; nothing for no examples. */
  static List<String> of(DataSurvey survey, String noun) {
    SurveyLines report = new SurveyLines(survey, noun);
    if (survey.wholes().size() > 0) {
      report.lengths();
      report.histogram();
    }
    if (survey.used() > 0) {
      report.boundaries();
      report.bias();
      report.likeness();
      report.hints();
    }
    return report.lines;
  }

  private void add(String format, Object... values) {
    lines.add(String.format(Locale.ROOT, format, values));
  }

  private void sentence(String format, Object... values) {
    lines.addAll(Prose.rows("  ", String.format(Locale.ROOT, format, values)));
  }

  private void lengths() {
    Map<String, LengthCounts> rows = new LinkedHashMap<>();
    rows.put("prompt", survey.prompts());
    rows.putAll(survey.completions());
    rows.put(whole(), survey.wholes());
    add(
        "  tokens before any cut%8s %7s %7s %7s %7s %7s %8s",
        "5 %", "median", "90 %", "95 %", "99 %", "most", "mean");
    rows.forEach(
        (name, lengths) -> {
          StringBuilder line = new StringBuilder("    %-18s".formatted(name));
          for (double share : SHARES) {
            line.append(String.format(Locale.ROOT, " %,7d", lengths.percentile(share)));
          }
          add("%s %,7d %,8.1f", line, lengths.longest(), lengths.mean());
        });
  }

  private String whole() {
    return survey.completions().size() > 1 ? "prompt + longer" : "prompt + completion";
  }

  /** Bars of prompt with its longer completion, by length. */
  private void histogram() {
    LengthCounts wholes = survey.wholes();
    int last = wholes.percentile(LAST_BAR);
    int width = Math.max(1, roundUp((double) (last + 1) / BARS));
    long most = 1;
    List<Long> counts = new ArrayList<>();
    for (int from = 0; from <= last; from += width) {
      counts.add(wholes.above(from - 1) - wholes.above(from + width - 1));
      most = Math.max(most, counts.get(counts.size() - 1));
    }
    add("  %-18s %11s  up to there", whole(), noun + "s");
    for (int bar = 0; bar < counts.size(); bar++) {
      bar(
          "%,7d - %,d".formatted(bar * width, (bar + 1) * width - 1),
          counts.get(bar),
          most,
          wholes.size() - wholes.above((bar + 1) * width - 1));
    }
    int end = counts.size() * width;
    long above = wholes.above(end - 1);
    if (above > 0) {
      bar("%,7d and more".formatted(end), above, most, wholes.size());
    }
  }

  private void bar(String range, long count, long most, long upTo) {
    if (count == 0 && upTo == 0) {
      return; // below the shortest
    }
    int length = (int) Math.ceil((double) BAR_WIDTH * count / most);
    add(
        "    %-18s %,9d  %5.1f %%  %s",
        range, count, 100.0 * upTo / survey.wholes().size(), "#".repeat(length));
  }

  /** A number that people like as the width of a bar. */
  private static int roundUp(double width) {
    int unit = 1;
    while (unit * 10 < width) {
      unit *= 10;
    }
    for (int factor : new int[] {1, 2, 5, 10}) {
      if (unit * factor >= width) {
        return unit * factor;
      }
    }
    return unit * 10;
  }

  private void boundaries() {
    survey
        .boundaries()
        .forEach(
            (boundary, count) -> sentence("boundary in %s: %s", share(count), boundary.words()));
  }

  private void bias() {
    survey
        .bias()
        .ifPresent(
            bias ->
                sentence(
                    "chosen is longer in %s, shorter in %s, equal in %,d: %.1f tokens against %.1f"
                        + " on average%s",
                    share(bias.longer()),
                    share(bias.shorter()),
                    bias.same(),
                    bias.chosen(),
                    bias.rejected(),
                    meaning(bias)));
  }

  private static String meaning(LengthBias bias) {
    return bias.longer() + bias.shorter() == 0
        ? ""
        : String.format(
            Locale.ROOT,
            "; length alone tells the chosen one in %.0f %%%s",
            100 * bias.share(),
            bias.isEven() ? ", no clear bias" : bias.isClear() ? "" : ", of too few pairs to tell");
  }

  private void likeness() {
    sentence(
        "repeated: %,d; with the opposite preference: %,d; nearly repeated: %,d",
        survey.duplicates(), survey.contradictions(), survey.nearDuplicates());
  }

  private void hints() {
    if (survey.refusals().values().stream().anyMatch(side -> side.refusing() > 0)) {
      sentence(
          "refusals, by English openings such as \"I can't\": %s",
          survey.refusals().entrySet().stream()
              .map(
                  side ->
                      String.format(
                          Locale.ROOT,
                          "%s %,d of %,d",
                          side.getKey(),
                          side.getValue().refusing(),
                          side.getValue().answers()))
              .collect(Collectors.joining(", ")));
    }
    if (survey.scripts().size() > 1) {
      sentence(
          "scripts of the answers: %s",
          survey.scripts().entrySet().stream()
              .sorted(Map.Entry.<String, Long>comparingByValue().reversed())
              .map(entry -> "%s %,d".formatted(entry.getKey(), entry.getValue()))
              .collect(Collectors.joining(", ")));
    }
  }

  private String share(long count) {
    return String.format(
        Locale.ROOT, "%,d of %,d (%.0f %%)", count, survey.used(), 100.0 * count / survey.used());
  }
}
