package org.dpo4j.report;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.DoubleStream;
import javax.imageio.ImageIO;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.XYStyler;
import org.knowm.xchart.style.markers.SeriesMarkers;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Draws panels side by side into one PNG, without a screen. */
final class PanelGrid {
  private static final Logger LOG = LoggerFactory.getLogger(PanelGrid.class);

  private static final int PANEL_WIDTH = 600;
  private static final int PANEL_HEIGHT = 380;
  private static final int LEGEND_LINE_HEIGHT = 22;
  private static final int LEGEND_LINE_CHARACTERS = 75;
  private static final int LEGEND_SYMBOL_CHARACTERS = 6;
  private static final int TICK_SPACING = 90;
  private static final int MOST_TICKS = 12;
  private static final int TITLE_HEIGHT = 52;
  private static final double WIDE_RATIO = 50;

  // Okabe and Ito's colours, which colour-blind readers can tell apart.
  private static final List<Color> COLOURS =
      List.of(
          new Color(0x0072B2),
          new Color(0xD55E00),
          new Color(0x009E73),
          new Color(0xCC79A7),
          new Color(0xE69F00),
          new Color(0x56B4E9),
          new Color(0x555555));
  private static final Color INK = new Color(0x333333);
  private static final Color GRID = new Color(0xE4E4E4);

  private PanelGrid() {}

  /**
   * Writes the picture; where it cannot be drawn (a system without any font, for one), a warning
   * says so and there is no file, because a finished run must not be lost to its picture.
   *
   * @throws IOException when the file cannot be written
   */
  static void write(Path png, String title, List<Panel> panels, int columns) throws IOException {
    System.setProperty("java.awt.headless", System.getProperty("java.awt.headless", "true"));
    byte[] bytes;
    try {
      bytes = png(draw(title, panels, columns));
    } catch (OutOfMemoryError e) {
      throw e;
    } catch (RuntimeException | Error e) {
      // Without fonts AWT fails with plain Errors.
      LOG.warn(
          "{} is left out: it cannot be drawn on this system ({})",
          png.getFileName(),
          e.toString());
      return;
    }
    Files.write(png, bytes);
  }

  private static byte[] png(BufferedImage image) throws IOException {
    try (ByteArrayOutputStream out = new ByteArrayOutputStream()) {
      // No disk cache: the folder for temporary files may be read-only.
      ImageIO.setUseCache(false);
      ImageIO.write(image, "png", out);
      return out.toByteArray();
    }
  }

  private static BufferedImage draw(String title, List<Panel> panels, int columns) {
    int rows = (panels.size() + columns - 1) / columns;
    int height = PANEL_HEIGHT + panels.stream().mapToInt(PanelGrid::legendHeight).max().orElse(0);
    BufferedImage image =
        new BufferedImage(
            columns * PANEL_WIDTH, TITLE_HEIGHT + rows * height, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    try {
      graphics.setColor(Color.WHITE);
      graphics.fillRect(0, 0, image.getWidth(), image.getHeight());
      drawTitle(graphics, title, image.getWidth());
      for (int i = 0; i < panels.size(); i++) {
        int x = i % columns * PANEL_WIDTH;
        int y = TITLE_HEIGHT + i / columns * height;
        Graphics2D cell = (Graphics2D) graphics.create(x, y, PANEL_WIDTH, height);
        chart(panels.get(i), height).paint(cell, PANEL_WIDTH, height);
        cell.dispose();
      }
    } finally {
      graphics.dispose();
    }
    return image;
  }

  private static void drawTitle(Graphics2D graphics, String title, int width) {
    graphics.setRenderingHint(
        RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
    graphics.setColor(INK);
    graphics.setFont(font(Font.BOLD, 18));
    String line = title.replaceAll("\\s+", " ").strip();
    while (line.length() > 4 && graphics.getFontMetrics().stringWidth(line) > width - 40) {
      line = line.substring(0, line.length() - 2).stripTrailing() + "…";
    }
    graphics.drawString(line, 20, 34);
  }

  /** Extra height for names that do not fit on one line and so get one each; else 0. */
  private static int legendHeight(Panel panel) {
    List<String> names =
        panel.curves().stream()
            .filter(curve -> curve.style() != Panel.Style.FAINT)
            .map(Panel.Curve::name)
            .toList();
    int characters = names.stream().mapToInt(n -> n.length() + LEGEND_SYMBOL_CHARACTERS).sum();
    return characters > LEGEND_LINE_CHARACTERS ? names.size() * LEGEND_LINE_HEIGHT : 0;
  }

  private static XYChart chart(Panel panel, int height) {
    XYChart chart =
        new XYChartBuilder()
            .width(PANEL_WIDTH)
            .height(height)
            .title(panel.title())
            .xAxisTitle("step")
            .yAxisTitle(panel.unit())
            .build();
    List<Panel.Curve> curves =
        panel.curves().stream()
            .filter(curve -> !curve.isEmpty())
            .sorted(Comparator.comparing(Panel.Curve::style))
            .toList();
    style(chart.getStyler());
    if (legendHeight(panel) > 0) {
      chart.getStyler().setLegendLayout(Styler.LegendLayout.Vertical);
    }
    if (curves.isEmpty()) {
      chart.setTitle(panel.title() + " (no finite values)");
      return chart;
    }
    boolean logarithmic = panel.range() == Panel.Range.LOG_WHEN_WIDE && isWide(curves);
    Set<String> names = new HashSet<>();
    for (Panel.Curve curve : curves) {
      String name = curve.name();
      // The chart refuses a name twice.
      for (int copy = 2; !names.add(name); copy++) {
        name = curve.name() + " (" + copy + ")";
      }
      addCurve(chart, name, curve);
    }
    axes(chart, panel, curves, logarithmic);
    return chart;
  }

  private static void addCurve(XYChart chart, String name, Panel.Curve curve) {
    List<Double> values =
        curve.values().stream().map(v -> Double.isFinite(v) ? v : Double.NaN).toList();
    XYSeries series = chart.addSeries(name, curve.steps(), values);
    Color colour = COLOURS.get(curve.colour() % COLOURS.size());
    series.setShowInLegend(curve.style() != Panel.Style.FAINT);
    boolean dots = curve.style() == Panel.Style.DOTS || values.size() == 1;
    series.setLineColor(curve.style() == Panel.Style.FAINT ? mixWithWhite(colour) : colour);
    series.setMarkerColor(colour);
    series.setMarker(dots ? SeriesMarkers.CIRCLE : SeriesMarkers.NONE);
    series.setLineStyle(
        switch (curve.style()) {
          case LINE -> new BasicStroke(2f, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND);
          case FAINT -> new BasicStroke(1f, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND);
          case DOTS ->
              new BasicStroke(
                  1.2f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 1f, new float[] {5f, 4f}, 0f);
        });
  }

  private static Color mixWithWhite(Color colour) {
    return new Color(
        (colour.getRed() + 2 * 255) / 3,
        (colour.getGreen() + 2 * 255) / 3,
        (colour.getBlue() + 2 * 255) / 3);
  }

  private static void axes(
      XYChart chart, Panel panel, List<Panel.Curve> curves, boolean logarithmic) {
    XYStyler styler = chart.getStyler();
    double firstStep = steps(curves).min().orElse(0);
    double lastStep = steps(curves).max().orElse(1);
    if (firstStep == lastStep) {
      styler.setXAxisMin(firstStep - 1).setXAxisMax(lastStep + 1);
    } else if (lastStep - firstStep > MOST_TICKS) {
      roundStepNumbers(chart, firstStep + 0.5, finite(curves).findFirst().orElse(0));
    }
    if (panel.range() == Panel.Range.SHARE) {
      styler.setYAxisMin(0.0).setYAxisMax(1.0);
      return;
    }
    double low = finite(curves).min().orElse(0);
    double high = finite(curves).max().orElse(0);
    if (logarithmic) {
      styler.setYAxisLogarithmic(true);
      styler.setYAxisDecimalPattern("0.#E0");
    } else if (high - low <= 1e-9 * Math.max(1, Math.abs(high))) {
      double around = Math.max(0.1, Math.abs(high) * 0.1);
      styler.setYAxisMin(low - around).setYAxisMax(high + around);
    }
  }

  /**
   * Of evenly spaced x values XChart labels every n-th, from the first and however crowded; one
   * invisible point between two of them makes it choose round numbers instead.
   */
  private static void roundStepNumbers(XYChart chart, double step, double value) {
    XYSeries invisible = chart.addSeries(" ", new double[] {step}, new double[] {value});
    invisible.setShowInLegend(false);
    invisible.setMarker(SeriesMarkers.NONE);
  }

  private static boolean isWide(List<Panel.Curve> curves) {
    double low = finite(curves).min().orElse(0);
    return low > 0 && finite(curves).max().orElse(0) / low > WIDE_RATIO;
  }

  private static DoubleStream finite(List<Panel.Curve> curves) {
    return curves.stream()
        .flatMap(curve -> curve.values().stream())
        .mapToDouble(Double::doubleValue)
        .filter(Double::isFinite);
  }

  private static DoubleStream steps(List<Panel.Curve> curves) {
    return curves.stream()
        .flatMap(curve -> curve.steps().stream())
        .mapToDouble(Double::doubleValue);
  }

  private static void style(XYStyler styler) {
    styler.setLocale(Locale.ROOT);
    styler.setAntiAlias(true);
    styler.setChartBackgroundColor(Color.WHITE);
    styler.setPlotBackgroundColor(Color.WHITE);
    styler.setPlotBorderColor(GRID);
    styler.setPlotGridLinesColor(GRID);
    styler.setPlotGridLinesStroke(new BasicStroke(1f));
    styler.setPlotGridVerticalLinesVisible(false);
    styler.setChartFontColor(INK);
    styler.setAxisTickLabelsColor(INK);
    styler.setChartTitleFont(font(Font.BOLD, 15));
    styler.setChartTitleBoxVisible(false);
    styler.setAxisTitleFont(font(Font.PLAIN, 13));
    styler.setAxisTickLabelsFont(font(Font.PLAIN, 12));
    styler.setLegendFont(font(Font.PLAIN, 12));
    styler.setLegendPosition(Styler.LegendPosition.OutsideS);
    styler.setLegendLayout(Styler.LegendLayout.Horizontal);
    styler.setLegendBorderColor(Color.WHITE);
    styler.setLegendPadding(4);
    styler.setMarkerSize(7);
    styler.setChartPadding(10);
    styler.setXAxisDecimalPattern("#,##0.##");
    styler.setYAxisDecimalPattern("#,##0.####");
    styler.setYAxisLogarithmicDecadeOnly(true);
    styler.setXAxisTickMarkSpacingHint(TICK_SPACING);
  }

  private static Font font(int style, int size) {
    return new Font(Font.SANS_SERIF, style, size);
  }
}
