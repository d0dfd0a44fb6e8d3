package org.dpo4j.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: a plot that fails, or stays empty, for a short, odd or broken run. */
class PlotsTest {
  private static final int BLUE = 0x0072B2;
  private static final int ORANGE = 0xD55E00;

  private final Path png;

  PlotsTest(@TempDir Path dir) {
    this.png = dir.resolve("curves.png");
  }

  @Test
  void aLongRunShowsTrainingAndEvaluation() throws IOException {
    CurvesPlot.write(png, "a run", SampleRuns.converging(1000, 100));
    assertThat(colours()).contains(BLUE, ORANGE);
  }

  @Test
  void oneStepWithoutEvaluationIsADot() throws IOException {
    RunHistory history = new RunHistory();
    history.add(SampleRuns.step(1, 0.6931));
    CurvesPlot.write(png, "one step", history);
    assertThat(colours()).contains(BLUE);
  }

  @Test
  void gapsAndNothingButNanAreDrawnWithoutFailing() throws IOException {
    RunHistory history = new RunHistory();
    history.add(SampleRuns.step(1, 0.7));
    history.add(SampleRuns.step(2, Double.NaN));
    history.add(SampleRuns.step(3, Double.POSITIVE_INFINITY));
    history.add(SampleRuns.step(4, 0.5));
    CurvesPlot.write(png, "gaps", history);
    assertThat(colours()).contains(BLUE);
    CurvesPlot.write(png, "nothing", new RunHistory());
    assertThat(colours()).doesNotContain(BLUE);
  }

  @Test
  void whatCannotBeDrawnIsLeftOutAndTheRunGoesOn() throws IOException {
    // Two steps and one value: the drawing library refuses.
    Panel.Curve bad = new Panel.Curve("bad", List.of(1.0, 2.0), List.of(1.0), Panel.Style.LINE, 0);
    PanelGrid.write(png, "bad", List.of(new Panel("bad", "", List.of(bad), Panel.Range.FREE)), 1);
    assertThat(png).doesNotExist();
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
    ComparisonPlot.write(
        png, "compared", List.of(new ComparisonPlot.Quantity("Loss", "loss", runs)));
    assertThat(colours()).contains(BLUE, ORANGE);
  }

  private Set<Integer> colours() throws IOException {
    BufferedImage image = ImageIO.read(png.toFile());
    Set<Integer> colours = new HashSet<>();
    for (int y = 0; y < image.getHeight(); y++) {
      for (int x = 0; x < image.getWidth(); x++) {
        colours.add(image.getRGB(x, y) & 0xFFFFFF);
      }
    }
    return colours;
  }
}
