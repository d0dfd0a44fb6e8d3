package org.dpo4j.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import org.dpo4j.EvaluationReport;
import org.dpo4j.PairMetrics;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingMetrics;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.w3c.dom.Document;
import org.w3c.dom.NodeList;

/** Closes: a plot that fails, stays empty or cannot be read, for a short, odd or broken run. */
class PlotsTest {
  private static final int BLUE = 0x0072B2;
  private static final int ORANGE = 0xD55E00;

  private final Path folder;

  PlotsTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void aLongRunShowsTrainingAndEvaluation() throws IOException {
    assertThat(colours(curves(SampleRuns.converging(1000, 100)))).contains(BLUE, ORANGE);
  }

  @Test
  void oneStepWithoutEvaluationIsADotInEachPanel() throws IOException {
    RunHistory history = new RunHistory();
    history.add(SampleRuns.step(1, 0.6931));
    Picture picture = curves(history);
    assertThat(colours(picture)).contains(BLUE);
    // Six panels of one curve and two of two.
    assertThat(dots(picture)).hasSize(6 + 2 * 2);
  }

  @Test
  void gapsAndNothingButNanAreDrawnWithoutFailing() throws IOException {
    RunHistory history = new RunHistory();
    history.add(SampleRuns.step(1, 0.7));
    history.add(SampleRuns.step(2, Double.NaN));
    history.add(SampleRuns.step(3, Double.POSITIVE_INFINITY));
    history.add(SampleRuns.step(4, 0.5));
    assertThat(colours(curves(history))).contains(BLUE);
    assertThat(colours(curves(new RunHistory()))).doesNotContain(BLUE);
    assertThat(texts(curves(new RunHistory()))).contains("Loss (no finite values)");
  }

  static Stream<RunHistory> runs() {
    RunHistory one = new RunHistory();
    one.add(SampleRuns.step(1, 0.6931));
    RunHistory two = new RunHistory();
    two.add(SampleRuns.evaluation(0, 0.6931));
    two.add(SampleRuns.step(2, 0.6));
    two.add(SampleRuns.step(4, 0.5));
    two.add(SampleRuns.evaluation(4, 0.55));
    RunHistory broken = new RunHistory();
    broken.add(SampleRuns.step(1, 1e-7));
    broken.add(SampleRuns.step(2, 8.2e12));
    broken.add(SampleRuns.step(3, Double.MAX_VALUE));
    return Stream.of(
        new RunHistory(),
        one,
        two,
        broken,
        SampleRuns.converging(3000, 300),
        huge(-1e300, 1e300),
        huge(-98_000, 90_000));
  }

  private static RunHistory huge(double low, double high) {
    RunHistory history = new RunHistory();
    history.add(new EvaluationReport(0, 0, "", margins(low), 1, 1));
    history.add(new EvaluationReport(1, 1, "", margins(high), 1, 1));
    return history;
  }

  private static TrainingMetrics margins(double margin) {
    return PairMetrics.of(1, margin, -margin, 0.5, margin, margin, -margin, 0, 0, 0, 0);
  }

  @ParameterizedTest
  @MethodSource("runs")
  void noWordsOverlapAndNoneLeaveThePicture(RunHistory history) throws IOException {
    Picture picture = curves(history);
    BufferedImage image = png(picture);
    Rectangle2D whole =
        new Rectangle2D.Double(0, 0, image.getWidth() / 1.5, image.getHeight() / 1.5);
    List<Picture.Words> words = words(picture);
    for (int i = 0; i < words.size(); i++) {
      assertThat(whole.contains(box(words.get(i)))).as(words.get(i).text()).isTrue();
      for (int j = 0; j < i; j++) {
        assertThat(box(words.get(i)).intersects(box(words.get(j))))
            .as(words.get(i) + " and " + words.get(j))
            .isFalse();
      }
    }
  }

  @Test
  void theTitleSaysWhatWasTrainedAndHowAndIsCutWhereItIsTooLong() {
    Picture picture =
        CurvesPlot.draw("x".repeat(500), "64 pairs,\nbeta 0.1", SampleRuns.converging(60, 30), 0);
    assertThat(texts(picture).get(0)).startsWith("xxxx").endsWith("…").hasSizeLessThan(120);
    // 60 logged values are smoothed: the mean of 5 at a time.
    assertThat(texts(picture))
        .contains("64 pairs, beta 0.1; thick lines: means of the last 5 logged values");
  }

  @Test
  void epochsEndAtDottedLinesAtOneStepInAllPanels() {
    // Steps 0 to 40, 16 in an epoch: lines at 16 and 32 of 40.
    Picture picture = CurvesPlot.draw("t", "s", SampleRuns.converging(40, 40), 16);
    List<Double> xs = dotted(picture);
    assertThat(xs).hasSize(2 * 8);
    double plot = 600 - 90 - 66;
    assertThat(xs.get(0)).isCloseTo(90 + plot * 16 / 40, within(1e-9));
    assertThat(xs.get(1)).isCloseTo(90 + plot * 32 / 40, within(1e-9));
    assertThat(new HashSet<>(xs)).hasSize(4); // two columns
    assertThat(texts(picture)).contains("step (dotted: ends of epochs)");
    assertThat(dotted(curves(SampleRuns.converging(40, 40)))).isEmpty();
    // A thousand epochs do not make a cage: each 42nd is drawn.
    assertThat(dotted(CurvesPlot.draw("t", "s", SampleRuns.converging(1000, 100), 1)))
        .hasSize(8 * 24 - 8);
  }

  @Test
  void theAccuracyOfTiesIsNotDrawnAndHalfIs() {
    RunHistory history = new RunHistory();
    TrainingMetrics ties = PairMetrics.of(0.6931, 0, 0, 0, 1e-6, -100, -90, 0, 0, 4, 0.3);
    assertThat(ties.tied()).isTrue();
    history.add(new EvaluationReport(0, 0, "", ties, 12, 1));
    history.add(SampleRuns.evaluation(4, 0.5));
    // Loss, margin and entropy have two dots, rewards and log-probabilities two of each side, the
    // accuracy one; and as many curves have a dot in their legend.
    int evaluated = 3 * 2 + 2 * 2 * 2 + 1;
    int legends = 3 + 2 * 2 + 1;
    assertThat(dots(curves(history))).hasSize(evaluated + legends);
    assertThat(texts(curves(history))).contains("0.5", "0.6", "0.7");
  }

  @Test
  void theLastValueOfEachCurveIsWritten() {
    RunHistory history = new RunHistory();
    history.add(SampleRuns.evaluation(0, 0.7));
    history.add(SampleRuns.step(4, 0.12345));
    history.add(SampleRuns.evaluation(4, 0.55));
    assertThat(texts(curves(history)))
        .contains("0.123", "0.550") // loss
        .contains("-1230", "-771") // log-probabilities
        .contains("33.5", "1e-6"); // gradient norm and learning rate
  }

  @Test
  void aLogarithmicAxisHasLabelsThatOneReads() {
    Panel.Curve wide =
        new Panel.Curve("x", List.of(1.0, 2.0), List.of(0.02, 30.0), Panel.Style.LINE, 0);
    Axis axis = Axis.ofValues(new Panel("t", "u", List.of(wide), Panel.Range.LOG_WHEN_WIDE));
    assertThat(axis.logarithmic()).isTrue();
    assertThat(labels(axis)).containsExactly("0.1", "1", "10");
    assertThat(axis.at(1) - axis.at(0.1)).isCloseTo(axis.at(10) - axis.at(1), within(1e-12));
    Panel.Curve vast =
        new Panel.Curve("x", List.of(1.0, 2.0), List.of(1e-3, 1e12), Panel.Style.LINE, 0);
    assertThat(labels(Axis.ofValues(new Panel("t", "u", List.of(vast), Panel.Range.LOG_WHEN_WIDE))))
        .containsExactly("0.001", "1", "1,000", "1e6", "1e9", "1e12");
  }

  @Test
  void axesHaveRoundNumbers() {
    assertThat(labels(Axis.ofSteps(0, 32))).containsExactly("0", "5", "10", "15", "20", "25", "30");
    assertThat(labels(Axis.ofSteps(1, 1))).containsExactly("0", "1", "2");
    assertThat(labels(Axis.ofSteps(0, 0))).containsExactly("0", "1");
    // 20 / 8 is 2.5, and no step is half.
    assertThat(labels(Axis.ofSteps(0, 20))).containsExactly("0", "5", "10", "15", "20");
    for (int last = 1; last <= 300; last++) {
      assertThat(Axis.ofSteps(1, last).ticks())
          .isNotEmpty()
          .allSatisfy(tick -> assertThat(tick.value()).isEqualTo(Math.rint(tick.value())));
    }
    assertThat(labels(Axis.ofSteps(10, 3000))).contains("500", "1,000", "3,000");
    Panel.Curve flat = new Panel.Curve("x", List.of(1.0), List.of(0.0), Panel.Style.LINE, 0);
    assertThat(labels(Axis.ofValues(new Panel("t", "u", List.of(flat), Panel.Range.FREE))))
        .contains("0", "0.05", "-0.05");
  }

  /** Float32 gives 0.6931472 and 0.6931471 for one loss. */
  @Test
  void neighbouringTicksHaveDifferentLabelsHoweverCloseTheValues() {
    for (double apart = 1e-7; apart < 1; apart *= 1.7) {
      Panel.Curve close =
          new Panel.Curve(
              "x", List.of(0.0, 1.0), List.of(0.6931472, 0.6931472 + apart), Panel.Style.LINE, 0);
      assertThat(labels(Axis.ofValues(new Panel("t", "u", List.of(close), Panel.Range.FREE))))
          .as("values %s apart", apart)
          .doesNotHaveDuplicates()
          .hasSizeBetween(2, 12)
          .allSatisfy(label -> assertThat(label).hasSizeLessThan(9).doesNotContain("e"));
    }
  }

  @Test
  void theSvgIsXmlWhateverTheNames() throws Exception {
    Picture picture =
        CurvesPlot.draw("a <b> & \"c\" \u0001\ud800", "s", SampleRuns.converging(60, 30), 20);
    Path svg = folder.resolve("curves.svg");
    picture.writeSvg(svg);
    Document document =
        DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(svg.toFile());
    NodeList texts = document.getElementsByTagName("text");
    assertThat(texts.item(0).getTextContent()).isEqualTo("a <b> & \"c\" \\u0001\\ud800");
    assertThat(texts.getLength()).isEqualTo(words(picture).size());
    assertThat(document.getElementsByTagName("circle").getLength()).isEqualTo(dots(picture).size());
  }

  @Test
  void whatCannotBeDrawnIsLeftOutAndTheRunGoesOn() throws IOException {
    Path png = folder.resolve("large.png");
    // More pixels than an image can have.
    new Picture(1 << 20, 1 << 20).writePng(png);
    assertThat(png).doesNotExist();
  }

  @Test
  void aLogarithmicPanelSaysSo() {
    RunHistory history = new RunHistory();
    history.add(SampleRuns.step(1, 0.7));
    history.add(SampleRuns.step(2, 0.001));
    assertThat(texts(curves(history)))
        .contains("Loss (log scale)", "Gradient norm before clipping");
  }

  @Test
  void whatTiesHaveForAMarginIsNoAxis() {
    RunHistory history = new RunHistory();
    history.add(
        new StepReport(
            1,
            1,
            1,
            4,
            PairMetrics.of(0.6931, -1.2e-8, 1.2e-8, 0, -2.38e-8, -100, -90, 0, 0, 4, 0.3),
            1,
            1e-4,
            9,
            1,
            1));
    assertThat(texts(curves(history)))
        .contains("-0.05", "0.05")
        .noneMatch(text -> text.contains("e-8") || text.contains("e-9"));
  }

  @Test
  void aCurveHasAValueForEachStep() {
    assertThatThrownBy(
            () -> new Panel.Curve("x", List.of(1.0, 2.0), List.of(1.0), Panel.Style.LINE, 0))
        .hasMessageContaining("2 steps and 1 values");
  }

  @Test
  void theRunningMeanPassesOverNan() {
    assertThat(CurvesPlot.runningMean(List.of(1.0, 3.0, Double.NaN, 5.0), 2))
        .containsExactly(1.0, 2.0, 3.0, 5.0);
    assertThat(CurvesPlot.runningMean(List.of(Double.NaN), 2)).containsExactly(Double.NaN);
  }

  @Test
  void comparedRunsHaveOneColourEachAlsoUnderOneName() throws IOException {
    List<ComparisonPlot.Series> runs =
        List.of(
            new ComparisonPlot.Series("same", List.of(1.0, 0.1, 0.001)),
            new ComparisonPlot.Series("same", List.of(1.0, 0.5, 0.25)),
            new ComparisonPlot.Series("empty", List.of()));
    Picture picture =
        ComparisonPlot.draw("compared", List.of(new ComparisonPlot.Quantity("Loss", "loss", runs)));
    assertThat(colours(picture)).contains(BLUE, ORANGE);
    assertThat(texts(picture)).contains("same").doesNotContain("empty");
  }

  private static Picture curves(RunHistory history) {
    return CurvesPlot.draw("a run", "of pairs", history, 0);
  }

  private static List<Picture.Words> words(Picture picture) {
    return picture.marks().stream()
        .filter(mark -> mark instanceof Picture.Words)
        .map(mark -> (Picture.Words) mark)
        .toList();
  }

  private static List<String> texts(Picture picture) {
    return words(picture).stream().map(Picture.Words::text).toList();
  }

  private static List<String> labels(Axis axis) {
    return axis.ticks().stream().map(Axis.Tick::label).toList();
  }

  private static List<Picture.Mark> dots(Picture picture) {
    return picture.marks().stream().filter(mark -> mark instanceof Picture.Dot).toList();
  }

  /** x of the dotted vertical lines. */
  private static List<Double> dotted(Picture picture) {
    List<Double> xs = new ArrayList<>();
    for (Picture.Mark mark : picture.marks()) {
      if (mark instanceof Picture.Line line
          && line.dash() > 0
          && line.points().size() == 2
          && line.points().get(0)[0] == line.points().get(1)[0]) {
        xs.add(line.points().get(0)[0]);
      }
    }
    return xs;
  }

  /** Where the words are at most, as the layout assumes. */
  private static Rectangle2D box(Picture.Words words) {
    double width = PanelGrid.width(words.text(), words.size());
    double height = words.size() * 0.8; // above the base line; letters below it are narrow
    double shift =
        switch (words.anchor()) {
          case START -> 0;
          case MIDDLE -> -width / 2;
          case END -> -width;
        };
    return words.upright()
        ? new Rectangle2D.Double(words.x() - height, words.y() + shift, height, width)
        : new Rectangle2D.Double(words.x() + shift, words.y() - height, width, height);
  }

  private BufferedImage png(Picture picture) throws IOException {
    Path png = folder.resolve("picture.png");
    picture.writePng(png);
    return ImageIO.read(png.toFile());
  }

  private Set<Integer> colours(Picture picture) throws IOException {
    BufferedImage image = png(picture);
    Set<Integer> colours = new HashSet<>();
    for (int y = 0; y < image.getHeight(); y++) {
      for (int x = 0; x < image.getWidth(); x++) {
        colours.add(image.getRGB(x, y) & 0xFFFFFF);
      }
    }
    return colours;
  }
}
