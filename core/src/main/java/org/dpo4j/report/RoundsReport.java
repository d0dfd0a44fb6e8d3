package org.dpo4j.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.function.Function;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingMetrics;
import org.dpo4j.TrainingResult;
import org.dpo4j.judge.AnswerFigures;
import org.jspecify.annotations.Nullable;

/** Shows what rounds of sampling and training did: a table, a page and a picture. */
public final class RoundsReport {

  /**
   * A training run in a few numbers; those of the end are means since the report before the last
   * one, NaN where the loss has no such number.
   *
   * @param steps steps done
   * @param loss at the end
   * @param accuracy {@code rewards/accuracies} at the end
   * @param margin {@code rewards/margins} at the end
   */
  public record TrainingFigures(int steps, double loss, double accuracy, double margin) {

    /** The numbers of a run that did a step. */
    public static TrainingFigures of(TrainingResult result) {
      StepReport last = result.finalReport().orElseThrow();
      TrainingMetrics metrics = last.metrics();
      return new TrainingFigures(
          result.steps(), metrics.loss(), metrics.rewardsAccuracies(), metrics.rewardsMargins());
    }
  }

  /** A column: its heading, and its cell in a row. */
  private record Column(String heading, Function<RoundFigures, String> cell) {}

  private static final String NOTHING = "-";

  private final List<RoundFigures> rounds;
  private final List<Column> columns;

  /**
   * @param rounds in order, from round 0
   */
  public RoundsReport(List<RoundFigures> rounds) {
    this.rounds = List.copyOf(rounds);
    this.columns =
        List.of(
                new Column("round", RoundsReport::name),
                answers("pass rate", figures -> figures.passRate()),
                answers("solved", figures -> figures.solved()),
                answers("mean score", RoundsReport::scoreUnlessRate),
                answers("tokens", figures -> figures.meanTokens()),
                new Column("rows", round -> round.rows() == 0 ? NOTHING : "" + round.rows()),
                training("steps", figures -> "" + figures.steps()),
                training("loss", figures -> number(figures.loss())),
                training("accuracy", figures -> number(figures.accuracy())),
                training("margin", figures -> number(figures.margin())),
                new Column("time", RoundsReport::time))
            .stream()
            .filter(column -> rounds.stream().anyMatch(row -> !column.cell.apply(row).equals("-")))
            .toList();
  }

  private static Column answers(String heading, Function<AnswerFigures, OptionalDouble> figure) {
    return new Column(
        heading,
        round -> {
          AnswerFigures answers = round.answers();
          OptionalDouble value = answers == null ? OptionalDouble.empty() : figure.apply(answers);
          return value.isPresent() ? number(value.getAsDouble()) : NOTHING;
        });
  }

  /** The mean score; empty where scores are 0 and 1, whose mean is the pass rate. */
  private static OptionalDouble scoreUnlessRate(AnswerFigures figures) {
    return figures.passRate().equals(OptionalDouble.of(figures.meanScore()))
        ? OptionalDouble.empty()
        : OptionalDouble.of(figures.meanScore());
  }

  private static Column training(String heading, Function<TrainingFigures, String> figure) {
    return new Column(
        heading,
        round -> {
          TrainingFigures training = round.training();
          return training == null ? NOTHING : figure.apply(training);
        });
  }

  private static String name(RoundFigures round) {
    return round.round() == 0 ? "start" : String.valueOf(round.round());
  }

  private static String time(RoundFigures round) {
    return round.seconds() == 0 ? NOTHING : TimeText.of(round.seconds());
  }

  private static String number(double value) {
    return Double.isNaN(value) ? NOTHING : ShortNumber.fixed("%.3f", value);
  }

  /** The table in lines for a terminal. */
  public List<String> lines() {
    List<List<String>> cells = cells();
    List<String> lines = new ArrayList<>();
    for (List<String> row : cells) {
      StringBuilder line = new StringBuilder();
      for (int i = 0; i < row.size(); i++) {
        int column = i;
        int width = cells.stream().mapToInt(each -> each.get(column).length()).max().orElse(0);
        line.append(String.format(Locale.ROOT, "%" + (width + 2) + "s", row.get(i)));
      }
      lines.add(line.toString());
    }
    return lines;
  }

  private List<List<String>> cells() {
    List<List<String>> cells = new ArrayList<>();
    cells.add(columns.stream().map(Column::heading).toList());
    rounds.forEach(
        round -> cells.add(columns.stream().map(column -> column.cell().apply(round)).toList()));
    return cells;
  }

  /**
   * Writes the page, which shows the picture beside it.
   *
   * @param what was done, a sentence each
   * @param picture name of the picture's file
   * @throws IOException when the file cannot be written
   */
  public void writePage(Path file, List<String> what, String picture) throws IOException {
    StringBuilder page = new StringBuilder("# Rounds of sampling and training\n\n");
    what.forEach(line -> page.append(SafeText.markdown(line)).append("\n\n"));
    List<List<String>> cells = cells();
    page.append(row(cells.get(0)));
    page.append(row(cells.get(0).stream().map(cell -> "---:").toList()));
    cells.subList(1, cells.size()).forEach(cell -> page.append(row(cell)));
    page.append(
        """

        A row is the model after its round. `pass rate` is the share of completions that are good, \
        `solved` the share of prompts with a good one, `tokens` the mean length of a completion. \
        `rows` went into the training, `loss`, `accuracy` and `margin` are those of its last report.

        ![Curves over rounds](%s)
        """
            .formatted(picture));
    Files.writeString(file, SafeText.text(page.toString()));
  }

  private static String row(List<String> cells) {
    return "| " + String.join(" | ", cells) + " |\n";
  }

  /** Draws what the models score, and the rewards of training, over rounds. */
  public Picture picture() {
    List<Panel> panels = new ArrayList<>();
    Panel answers =
        new Panel(
            "answers",
            "share",
            List.of(
                curve("pass rate", 0, answer(AnswerFigures::passRate)),
                curve("prompts solved", 1, answer(AnswerFigures::solved))),
            Panel.Range.FREE);
    Panel scores =
        new Panel(
            "mean score",
            "score",
            List.of(
                curve("mean", 0, answer(figures -> OptionalDouble.of(figures.meanScore()))),
                curve("best of a prompt", 1, answer(f -> OptionalDouble.of(f.meanBestScore())))),
            Panel.Range.FREE);
    Panel lengths =
        new Panel(
            "length of completions",
            "tokens",
            List.of(curve("mean", 0, answer(AnswerFigures::meanTokens))),
            Panel.Range.FREE);
    Panel training =
        new Panel(
            "training, at its end",
            "nats",
            List.of(
                curve("loss", 0, training(TrainingFigures::loss)),
                curve("reward margin", 1, training(TrainingFigures::margin))),
            Panel.Range.FREE);
    boolean rated = answers.finiteValues().findAny().isPresent();
    for (Panel panel : List.of(rated ? answers : scores, lengths, training)) {
      if (panel.finiteValues().findAny().isPresent()) {
        panels.add(panel);
      }
    }
    return PanelGrid.draw(
        "Rounds of sampling and training", "", panels, Math.max(1, panels.size()), "round", 0);
  }

  private static Function<RoundFigures, Double> answer(
      Function<AnswerFigures, OptionalDouble> figure) {
    return round -> {
      AnswerFigures answers = round.answers();
      return answers == null ? Double.NaN : figure.apply(answers).orElse(Double.NaN);
    };
  }

  private static Function<RoundFigures, Double> training(Function<TrainingFigures, Double> figure) {
    return round -> {
      TrainingFigures training = round.training();
      return training == null ? Double.NaN : figure.apply(training);
    };
  }

  private Panel.Curve curve(String name, int colour, Function<RoundFigures, Double> value) {
    return new Panel.Curve(
        name,
        rounds.stream().map(round -> (double) round.round()).toList(),
        rounds.stream().map(value).toList(),
        Panel.Style.DOTS,
        colour);
  }

  /**
   * A round in a few numbers.
   *
   * @param round from 1; 0 is the model before the first round
   * @param rows rows that the round trained on, those of earlier rounds included; 0 for round 0
   * @param training null for round 0
   * @param answers what the model after the round scores; null without a judge, or if it is not
   *     known yet
   * @param seconds wall time of the round
   */
  public record RoundFigures(
      int round,
      int rows,
      @Nullable TrainingFigures training,
      @Nullable AnswerFigures answers,
      double seconds) {}
}
