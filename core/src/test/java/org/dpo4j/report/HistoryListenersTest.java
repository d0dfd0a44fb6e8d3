package org.dpo4j.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.IntStream;
import org.dpo4j.EvaluationReport;
import org.dpo4j.OptionText;
import org.dpo4j.PairMetrics;
import org.dpo4j.StartCheck;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingMetrics;
import org.dpo4j.TrainingStart;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Closes: a run that stops at the wrong evaluation, keeps the wrong checkpoint as its best, or
 * doubles or loses lines of its metrics when it continues.
 */
class HistoryListenersTest {
  private static final BestMetric LOSS = new BestMetric("", "eval_loss", false);
  private static final BestMetric MARGIN = new BestMetric("", "eval_rewards/margins", true);

  private final Path file;

  HistoryListenersTest(@TempDir Path folder) {
    file = folder.resolve("metrics.jsonl");
  }

  /** Counts requests to stop. */
  private static final class Control implements TrainingControl {
    private int stops;

    @Override
    public void requestStop() {
      stops++;
    }

    @Override
    public void requestEvaluation() {
      throw new AssertionError();
    }

    @Override
    public void requestCheckpoint() {
      throw new AssertionError();
    }
  }

  /** Evaluations after 0, 1, 2, ... steps. */
  private static List<EvaluationReport> losses(double... losses) {
    return IntStream.range(0, losses.length)
        .mapToObj(step -> SampleRuns.evaluation(step, losses[step]))
        .toList();
  }

  private static List<EvaluationReport> margins(double... margins) {
    return IntStream.range(0, margins.length)
        .mapToObj(
            step ->
                new EvaluationReport(
                    step,
                    step,
                    "",
                    PairMetrics.of(0.5, 0, 0, 0.5, margins[step], -9, -8, 0, 0, 1, 0.5),
                    5,
                    1))
        .toList();
  }

  private static int bestStep(BestMetric metric, List<EvaluationReport> evaluations) {
    return metric.best(evaluations).map(EvaluationReport::step).orElse(-1);
  }

  @Test
  void theBestEvaluationIsTheEarliestOfEqualOnesAfterAStep() {
    assertThat(bestStep(LOSS, losses(0.1, 0.7, 0.5, 0.5, 0.6))).isEqualTo(2);
    assertThat(bestStep(MARGIN, margins(9, 1, 3, 3, 2))).isEqualTo(2);
    assertThat(bestStep(LOSS, losses(0.1))).isEqualTo(-1);
    assertThat(bestStep(LOSS, losses())).isEqualTo(-1);
    assertThat(LOSS.of(losses(0.25).get(0))).isEqualTo(0.25);
  }

  @Test
  void aMetricNeedsItsPrefixAndANameThatEvaluationsHave() {
    assertThat(BestMetric.fullName("loss")).isEqualTo("eval_loss");
    assertThat(BestMetric.fullName("eval_loss")).isEqualTo("eval_loss");
    assertThatThrownBy(() -> new BestMetric("", "loss", false))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("no evaluation has a metric loss");
  }

  @Test
  void evaluationsAreCountedSinceTheLastThatWasBetterByMoreThanTheThreshold() {
    assertThat(LOSS.sinceImprovement(losses(), 0)).isZero();
    assertThat(LOSS.sinceImprovement(losses(0.1), 0)).isZero();
    assertThat(LOSS.sinceImprovement(losses(0.1, 0.5), 0)).isZero();
    assertThat(LOSS.sinceImprovement(losses(0.1, 0.5, 0.5), 0)).isEqualTo(1);
    assertThat(LOSS.sinceImprovement(losses(0.1, 0.5, 0.6, 0.4), 0)).isZero();
    assertThat(LOSS.sinceImprovement(losses(0.1, 0.5, 0.6, 0.7, 0.55), 0)).isEqualTo(3);
    assertThat(MARGIN.sinceImprovement(margins(9, 1, 2, 1.5), 0)).isEqualTo(1);
    // 0.5 to 0.375 is no more than 1/8; to 0.25 it is.
    assertThat(LOSS.sinceImprovement(losses(9, 0.5, 0.375), 0.125)).isEqualTo(1);
    assertThat(LOSS.sinceImprovement(losses(9, 0.5, 0.25), 0.125)).isZero();
    // Small improvements move the best value and are no improvement, as in transformers.
    assertThat(LOSS.sinceImprovement(losses(9, 0.5, 0.4, 0.3, 0.2), 0.125)).isEqualTo(3);
  }

  @Test
  void theRunIsStoppedAtTheLastEvaluationOfItsPatience() {
    RunHistory history = new RunHistory();
    EarlyStopping stopping = new EarlyStopping(history, LOSS, 2, 0);
    Control control = new Control();
    for (EvaluationReport report : losses(0.1, 0.5, 0.6)) {
      history.onEvaluation(report, control);
      stopping.onEvaluation(report, control);
    }
    assertThat(stopping.stopped()).isFalse();
    assertThat(control.stops).isZero();

    EvaluationReport last = SampleRuns.evaluation(3, 0.55);
    history.onEvaluation(last, control);
    stopping.onEvaluation(last, control);
    assertThat(stopping.stopped()).isTrue();
    assertThat(control.stops).isEqualTo(1);
  }

  @Test
  void theFileGrowsByALineForEachEventAndIsContinuedWithoutDoubledLines() throws IOException {
    RunHistory history = new RunHistory();
    List<String> warnings = new ArrayList<>();
    MetricsFile metrics = MetricsFile.jsonLines(history, warnings::add);
    Control control = new Control();
    EvaluationReport start = SampleRuns.evaluation(0, 0.75);
    history.onEvaluation(start, control);
    metrics.onEvaluation(start, control); // there is no folder yet
    assertThat(file).doesNotExist();
    Files.writeString(file, "of an earlier run\n");
    metrics.begin(file);
    assertThat(lines()).singleElement().asString().startsWith("{\"eval_loss\":0.75");

    StepReport step = SampleRuns.step(1, 0.5);
    history.onReport(step, control);
    metrics.onReport(step, control);
    EvaluationReport after = SampleRuns.evaluation(1, 0.25);
    history.onEvaluation(after, control);
    metrics.onEvaluation(after, control);
    history.finish(Map.of("train_loss", 0.5));
    metrics.appendLast();
    assertThat(lines()).hasSize(4);
    assertThat(lines().get(1)).startsWith("{\"loss\":0.5").endsWith("\"step\":1}");
    assertThat(lines().get(2)).startsWith("{\"eval_loss\":0.25").endsWith("\"step\":1}");
    assertThat(lines().get(3)).isEqualTo("{\"train_loss\":0.5,\"step\":1}");

    RunHistory continued = new RunHistory();
    continued.restore(history.steps(), history.evaluations(), OptionalDouble.of(0.7));
    assertThat(continued.log()).isEqualTo(history.log().subList(0, 3));
    assertThat(continued.startLoss()).hasValue(0.7);
    MetricsFile.jsonLines(continued, warnings::add).begin(file);
    assertThat(lines()).hasSize(3);
    assertThat(warnings).isEmpty();
  }

  /** An evaluation follows the line of its step; evaluations at the end stay. */
  @Test
  void aContinuedHistoryHasTheOrderOfTheFirst() {
    RunHistory history = new RunHistory();
    history.restore(
        List.of(SampleRuns.step(2, 0.5), SampleRuns.step(4, 0.4)),
        List.of(
            SampleRuns.evaluation(0, 0.7),
            SampleRuns.evaluation(2, 0.6),
            SampleRuns.evaluation(3, 0.55),
            SampleRuns.evaluation(4, 0.5),
            SampleRuns.evaluation(5, 0.45)),
        OptionalDouble.empty());
    assertThat(
            history.log().stream()
                .map(entry -> (entry.containsKey("loss") ? "step " : "") + entry.get("step")))
        .containsExactly("0", "step 2", "2", "3", "step 4", "4", "5");
  }

  @Test
  void aFileThatCannotBeWrittenIsNamedOnceAndTheRunGoesOn() throws IOException {
    RunHistory history = new RunHistory();
    history.add(SampleRuns.step(1, 0.5));
    List<String> warnings = new ArrayList<>();
    MetricsFile metrics = MetricsFile.jsonLines(history, warnings::add);
    Files.createDirectory(file);
    metrics.begin(file);
    metrics.appendLast();
    assertThat(warnings)
        .singleElement()
        .asString()
        .startsWith(file + " could not be written (")
        .endsWith("and ends here; trainer_state.json will have all entries");
  }

  private List<String> lines() throws IOException {
    return Files.readAllLines(file);
  }

  @Test
  void earlyPairsAreThoseOfTheFirstEpoch() {
    EarlyAccuracy early = new EarlyAccuracy();
    TrainingMetrics metrics = PairMetrics.of(0.5, 0, 0, 0.75, 1, -9, -8, 0, 0, 1, 0.5);
    for (double epoch : new double[] {0.5, 1, 1.5}) {
      early.onStep(new StepReport(1, 4, epoch, 8, metrics, 1, 1e-3, 9, 1, 1), new Control());
    }
    assertThat(early.count()).isEqualTo(new EarlyAccuracy.Count(16, 12));
  }

  private static TrainingStart start() {
    return new TrainingStart(40, 5, 0, 10, 5, 8, 100, 100, "sigmoid", 1, 42, Path.of("out"));
  }

  @Test
  void theConsoleShowsTheStartCheckBeforeTheEvaluationThatItBelongsTo() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);
    ConsoleListener console = new ConsoleListener(out, out, LogFormat.TABLE, List.of(""), true);
    Control control = new Control();
    console.onStart(start());
    console.onEvaluation(SampleRuns.evaluation(0, 0.75), control);
    assertThat(bytes.size()).isZero();
    console.onStartCheck(new StartCheck(0.6931, 0.7, 1, false));
    // The first step began ten seconds ago: five steps more take about fifty.
    console.onStep(new StepReport(1, 6, 0.1, 8, metrics(), 1, 1e-3, 9, 10, 9), control);
    console.onReport(new StepReport(1, 6, 0.1, 8, metrics(), 1, 1e-3, 9, 10, 9), control);
    console.onEvaluation(SampleRuns.evaluation(4, 0.25), control);

    assertThat(bytes.toString(StandardCharsets.UTF_8).lines())
        .satisfiesExactly(
            line ->
                assertThat(line)
                    .isEqualTo("start check failed: initial loss 0.7000 (expected 0.6931)"),
            line -> assertThat(line).contains("step", "loss", "time left"),
            line -> assertThat(line).contains("0/10", "0.7500"),
            line -> assertThat(line).contains("1/10", "0.5000").containsPattern("5[0-9] s$"),
            line -> assertThat(line).contains("4/10", "0.2500"));
  }

  @Test
  void withoutAStartCheckTheFirstEvaluationIsShownAtOnce() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);
    ConsoleListener console = new ConsoleListener(out, out, LogFormat.JSON, List.of(""), false);
    console.onEvaluation(SampleRuns.evaluation(0, 0.75), new Control());
    console.finish(Map.of("train_loss", 0.5), 7);
    assertThat(bytes.toString(StandardCharsets.UTF_8).lines())
        .satisfiesExactly(
            line -> assertThat(line).startsWith("{\"eval_loss\":0.75"),
            line -> assertThat(line).isEqualTo("{\"train_loss\":0.5,\"step\":7}"));
  }

  private static TrainingMetrics metrics() {
    return SampleRuns.metrics(0.5);
  }

  @Test
  void progressBeginsBeforeTheFirstStepAndHasANoteForEach() {
    List<String> shown = new ArrayList<>();
    ProgressListener listener =
        new ProgressListener(
            (task, done, total, note) ->
                shown.add(
                    String.format(Locale.ROOT, "%s %d/%d %s", task, done, total, note).strip()));
    listener.onStart(start());
    listener.onEvaluation(SampleRuns.evaluation(0, 0.7), new Control());
    listener.onStep(SampleRuns.step(1, 0.5), new Control());
    listener.onEvaluation(SampleRuns.evaluation(1, 0.7), new Control());
    assertThat(shown).containsExactly("training 0/10", "training 1/4 loss 0.5000 margin +0.750");
  }

  @Test
  void aWarningIsPrintedOnceAndAContinuedRunHasThatOfTheFirst() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    PrintStream err = new PrintStream(bytes, true, StandardCharsets.UTF_8);
    RunOutput output = new RunOutput(err, err, Progress.NONE, OptionText::flags);
    output.warn(OptionText.of("lower {beta}"));
    output.warn(OptionText.of("lower {beta}"));
    output.note(OptionText.of("{seed} is 1"));
    output.restoreWarnings(List.of("earlier", "lower --beta"));
    assertThat(output.warnings()).containsExactly("earlier", "lower --beta");
    assertThat(bytes.toString(StandardCharsets.UTF_8))
        .isEqualTo(
            "warning: lower --beta\nnote: --seed is 1\n".replace("\n", System.lineSeparator()));
  }

  @Test
  void anEmptyHistoryHasNoLastEvents() {
    RunHistory history = new RunHistory();
    assertThat(history.lastStep()).isEqualTo(Optional.empty());
    assertThat(history.lastEvaluation()).isEqualTo(Optional.empty());
  }
}
