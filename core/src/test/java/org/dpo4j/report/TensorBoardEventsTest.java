package org.dpo4j.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import org.dpo4j.EvaluationReport;
import org.dpo4j.EventFile;
import org.dpo4j.EventFile.Point;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Closes: an event file that TensorBoard refuses, or whose curves are not those of {@code
 * log_history}.
 */
class TensorBoardEventsTest {

  private final Path file;
  private final List<String> warnings = new ArrayList<>();

  TensorBoardEventsTest(@TempDir Path folder) {
    file = folder.resolve("events.out.tfevents.1.dpo4j");
  }

  private MetricsFile events(RunHistory history) {
    return MetricsFile.tensorBoard(history, warnings::add, () -> "model: m\nbeta: 0.1\n");
  }

  private static EvaluationReport evaluation(int step, String dataset, double loss) {
    EvaluationReport one = SampleRuns.evaluation(step, loss);
    return new EvaluationReport(
        step, one.epoch(), dataset, one.metrics(), one.examples(), one.seconds());
  }

  @Test
  void theFileHasEveryNumberOfTheLogWithTheTagsOfTransformers() throws IOException {
    RunHistory history = new RunHistory();
    MetricsFile events = events(history);
    history.add(evaluation(0, "short", 0.75));
    events.appendLast(); // there is no file yet
    assertThat(file).doesNotExist();
    events.begin(file);
    history.add(SampleRuns.step(300, 0.5)); // a step of two bytes
    events.appendLast();
    history.add(evaluation(300, "short", 0.25));
    events.appendLast();
    history.finish(Map.of("train_loss", 0.625));
    events.appendLast();

    EventFile read = EventFile.read(file);
    assertThat(read.kinds())
        .containsExactly(
            "version brain.Event:2",
            "start 1 at step 0",
            "summary",
            "summary",
            "summary",
            "summary",
            "summary");
    assertThat(read.texts())
        .containsExactly(Map.entry("args/text_summary", "    model: m\n    beta: 0.1\n"));
    assertThat(read.points())
        .containsExactlyElementsOf(EventFile.pointsOf(history.log()))
        .contains(
            new Point("eval/short_loss", 0, 0.75f),
            new Point("train/loss", 300, 0.5f),
            new Point("eval/short_rewards/rejected", 300, -0.25f),
            new Point("train/train_loss", 300, 0.625f))
        .noneMatch(point -> point.tag().endsWith("/step"));
    assertThat(warnings).isEmpty();
  }

  @Test
  void numbersThatAreNotFiniteAreWrittenAsTheyAre() throws IOException {
    RunHistory history = new RunHistory();
    history.add(SampleRuns.step(1, Double.NaN));
    history.add(SampleRuns.step(2, Double.POSITIVE_INFINITY));
    events(history).begin(file);

    assertThat(EventFile.read(file).points())
        .contains(
            new Point("train/loss", 1, Float.NaN),
            new Point("train/loss", 2, Float.POSITIVE_INFINITY));
  }

  /** TensorBoard's server drops the points of a curve from a step on that comes again. */
  @Test
  void theEvaluationOfTheBestCheckpointAtTheEndDropsNothing() throws IOException {
    RunHistory history = new RunHistory();
    MetricsFile events = events(history);
    events.begin(file);
    for (int step = 1; step <= 3; step++) {
      history.add(SampleRuns.step(step, 0.5));
      events.appendLast();
      history.add(SampleRuns.evaluation(step, step == 2 ? 0.25 : 0.5));
      events.appendLast();
    }
    List<Point> before = EventFile.read(file).points();
    history.add(SampleRuns.evaluation(2, 0.25));
    events.appendLast();
    assertThat(EventFile.read(file).points()).isEqualTo(before);

    history.finish(Map.of("train_loss", 0.5));
    events.appendLast();
    assertThat(EventFile.read(file).points())
        .hasSize(before.size() + 1)
        .endsWith(new Point("train/train_loss", 3, 0.5f));
  }

  @Test
  void theFileOfAContinuedRunHasTheEntriesBeforeIt() throws IOException {
    RunHistory history = new RunHistory();
    history.restore(
        List.of(SampleRuns.step(2, 0.5), SampleRuns.step(4, 0.4)),
        List.of(SampleRuns.evaluation(0, 0.7), SampleRuns.evaluation(4, 0.6)),
        OptionalDouble.empty());
    MetricsFile events = events(history);
    events.begin(file);
    history.add(SampleRuns.step(6, 0.3));
    events.appendLast();

    assertThat(EventFile.read(file).points())
        .containsExactlyElementsOf(EventFile.pointsOf(history.log()))
        .filteredOn(point -> point.tag().equals("train/loss"))
        .extracting(Point::step)
        .containsExactly(2L, 4L, 6L);
  }

  /** Of the digits 1 to 9, as every table of checksums gives it. */
  @Test
  void theReaderOfTheseTestsHasTheRightChecksum() {
    assertThat(EventFile.crc("123456789".getBytes(StandardCharsets.US_ASCII)))
        .isEqualTo(0xe3069283);
  }
}
