package org.dpo4j.report;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.stream.DoubleStream;
import org.dpo4j.report.Picture.Anchor;

/**
 * Lays panels out side by side. All have the same size, the same position of the plot and the same
 * axis of steps, so that they are easy to compare.
 */
final class PanelGrid {
  private static final int PANEL_WIDTH = 600;
  private static final int PLOT_HEIGHT = 210;
  private static final int TITLE_HEIGHT = 64;
  private static final int PANEL_TITLE = 28;
  private static final int LEGEND_ROW = 20;
  private static final int BELOW = 62;
  private static final int LEFT = 90;
  private static final int RIGHT = 66;
  private static final int PLOT_WIDTH = PANEL_WIDTH - LEFT - RIGHT;

  private static final int TITLE_TYPE = 19;
  private static final int PANEL_TYPE = 15;
  private static final int TYPE = 13;

  /** Upper bound of a letter's width as a share of the type size, for common sans-serif fonts. */
  private static final double LETTER = 0.6;

  private static final int LEGEND_SYMBOL = 30;
  private static final int LEGEND_GAP = 14;
  private static final int MOST_BOUNDARIES = 24;
  private static final int MOST_POINTS = 4 * PLOT_WIDTH;

  // Okabe and Ito's colors, which color-blind readers can distinguish.
  private static final List<Integer> COLOURS =
      List.of(0x0072B2, 0xD55E00, 0x009E73, 0xCC79A7, 0xE69F00, 0x56B4E9, 0x555555);

  /** The first one has the colour of a line that is not dashed. */
  private static final List<Integer> DASHES = List.of(6, 8, 5, 11, 3, 7, 4);

  private static final int INK = 0x333333;
  private static final int PALE_INK = 0x777777;
  private static final int GRID = 0xE4E4E4;
  private static final int RULE = 0xAAAAAA;

  private final int panelHeight;
  private final int legendRows;
  private final String axis;
  private final Axis steps;
  private final List<Double> boundaries;
  private final Picture picture;

  private PanelGrid(
      List<Panel> panels, int columns, int titleHeight, String axis, double stepsPerEpoch) {
    this.axis = axis;
    this.legendRows = panels.stream().mapToInt(panel -> legend(panel).size()).max().orElse(1);
    this.panelHeight = PANEL_TITLE + legendRows * LEGEND_ROW + PLOT_HEIGHT + BELOW;
    this.steps = Axis.ofSteps(allSteps(panels).min().orElse(0), allSteps(panels).max().orElse(1));
    this.boundaries = boundaries(stepsPerEpoch);
    int rows = (panels.size() + columns - 1) / columns;
    this.picture = new Picture(columns * PANEL_WIDTH, titleHeight + rows * panelHeight);
  }

  /**
   * Draws the panels.
   *
   * @param title in large type
   * @param subtitle below it
   * @param axis what is counted from left to right: "step"
   * @param stepsPerEpoch where the thin vertical lines are; 0 for none
   */
  static Picture draw(
      String title,
      String subtitle,
      List<Panel> panels,
      int columns,
      String axis,
      double stepsPerEpoch) {
    PanelGrid grid = new PanelGrid(panels, columns, TITLE_HEIGHT, axis, stepsPerEpoch);
    int width = columns * PANEL_WIDTH - 40;
    grid.words(fitting(title, TITLE_TYPE, width), 20, 30, Anchor.START, TITLE_TYPE, true, INK);
    grid.words(fitting(subtitle, TYPE, width), 20, 52, Anchor.START, TYPE, false, INK);
    for (int i = 0; i < panels.size(); i++) {
      grid.panel(
          panels.get(i),
          i % columns * PANEL_WIDTH + LEFT,
          TITLE_HEIGHT + i / columns * grid.panelHeight);
    }
    return grid.picture;
  }

  /** Draws one panel without a title above it; otherwise as above. */
  static Picture draw(Panel panel, String axis, double stepsPerEpoch) {
    PanelGrid grid = new PanelGrid(List.of(panel), 1, 0, axis, stepsPerEpoch);
    grid.panel(panel, LEFT, 0);
    return grid.picture;
  }

  private static DoubleStream allSteps(List<Panel> panels) {
    return panels.stream()
        .flatMap(panel -> panel.curves().stream())
        .flatMap(curve -> curve.steps().stream())
        .mapToDouble(Double::doubleValue);
  }

  /** The ends of epochs on the axis; if there are many, only every second, third, ... */
  private List<Double> boundaries(double stepsPerEpoch) {
    List<Double> all = new ArrayList<>();
    if (stepsPerEpoch > 0) {
      long epochs = (long) (steps.high() / stepsPerEpoch);
      long every = epochs / MOST_BOUNDARIES + 1;
      for (long epoch = every; epoch * stepsPerEpoch < steps.high(); epoch += every) {
        all.add(epoch * stepsPerEpoch);
      }
    }
    return all;
  }

  /** The curves in a panel's legend, by row. */
  private static List<List<Panel.Curve>> legend(Panel panel) {
    List<List<Panel.Curve>> rows = new ArrayList<>(List.of(new ArrayList<>()));
    double x = 0;
    for (Panel.Curve curve : panel.curves()) {
      if (curve.style() == Panel.Style.FAINT || curve.isEmpty()) {
        continue;
      }
      double width = entryWidth(curve);
      if (x > 0 && x + width > PLOT_WIDTH + RIGHT) {
        rows.add(new ArrayList<>());
        x = 0;
      }
      rows.get(rows.size() - 1).add(curve);
      x += width;
    }
    return rows;
  }

  private static double entryWidth(Panel.Curve curve) {
    return LEGEND_SYMBOL + width(curve.name(), TYPE) + LEGEND_GAP;
  }

  /**
   * @param x of the left side of the plot
   * @param y of the top of the panel
   */
  private void panel(Panel panel, double x, double y) {
    Axis values = Axis.ofValues(panel);
    boolean empty = panel.finiteValues().findAny().isEmpty();
    words(
        panel.title()
            + (empty ? " (no finite values)" : values.logarithmic() ? " (log scale)" : ""),
        x,
        y + 18,
        Anchor.START,
        PANEL_TYPE,
        true,
        INK);
    legend(panel, x, y + PANEL_TITLE);
    double top = y + PANEL_TITLE + legendRows * LEGEND_ROW + 6;
    double bottom = top + PLOT_HEIGHT;
    frame(panel, values, x, top, bottom);
    panel.curves().stream()
        .filter(curve -> !curve.isEmpty())
        .sorted(Comparator.comparing(Panel.Curve::style))
        .forEach(curve -> curve(curve, values, x, top));
    lastValues(panel, values, x, top);
  }

  private void legend(Panel panel, double left, double top) {
    double y = top + 12;
    for (List<Panel.Curve> row : legend(panel)) {
      double x = left;
      for (Panel.Curve curve : row) {
        boolean dots = curve.style() == Panel.Style.DOTS;
        line(x, y - 4, x + 22, y - 4, colour(curve), dots ? 1.3 : 2.2, dash(curve));
        if (dots) {
          picture.add(new Picture.Dot(x + 11, y - 4, 3.5, colour(curve)));
        }
        words(curve.name(), x + LEGEND_SYMBOL - 2, y, Anchor.START, TYPE, false, INK);
        x += entryWidth(curve);
      }
      y += LEGEND_ROW;
    }
  }

  private void frame(Panel panel, Axis values, double left, double top, double bottom) {
    double right = left + PLOT_WIDTH;
    for (Axis.Tick tick : values.ticks()) {
      double y = bottom - values.at(tick.value()) * PLOT_HEIGHT;
      line(left, y, right, y, GRID, 1, 0);
      words(tick.label(), left - 8, y + 4.5, Anchor.END, TYPE, false, INK);
    }
    // The values of an untrained model: margin 0 and accuracy 0.5.
    double level = panel.range() == Panel.Range.SHARE ? 0.5 : 0;
    if (!values.logarithmic() && values.shows(level)) {
      double y = bottom - values.at(level) * PLOT_HEIGHT;
      line(left, y, right, y, RULE, 1, 0);
    }
    for (double boundary : boundaries) {
      double x = left + steps.at(boundary) * PLOT_WIDTH;
      line(x, top, x, bottom, RULE, 1, 2);
    }
    line(left, bottom, right, bottom, PALE_INK, 1, 0);
    line(left, top, left, bottom, PALE_INK, 1, 0);
    for (Axis.Tick tick : steps.ticks()) {
      double x = left + steps.at(tick.value()) * PLOT_WIDTH;
      line(x, bottom, x, bottom + 5, PALE_INK, 1, 0);
      words(tick.label(), x, bottom + 19, Anchor.MIDDLE, TYPE, false, INK);
    }
    words(
        boundaries.isEmpty() ? axis : axis + " (dotted: ends of epochs)",
        left + PLOT_WIDTH / 2.0,
        bottom + 37,
        Anchor.MIDDLE,
        TYPE,
        false,
        PALE_INK);
    picture.add(
        new Picture.Words(
            panel.unit(),
            left - LEFT + 16,
            top + PLOT_HEIGHT / 2.0,
            Anchor.MIDDLE,
            TYPE,
            false,
            PALE_INK,
            true));
  }

  /** Draws lines between adjacent finite values, and a dot for an isolated value. */
  private void curve(Panel.Curve curve, Axis values, double left, double top) {
    boolean dots = curve.style() == Panel.Style.DOTS;
    int colour = curve.style() == Panel.Style.FAINT ? paler(colour(curve)) : colour(curve);
    double width = dots ? 1.3 : curve.style() == Panel.Style.FAINT ? 1 : 2.2;
    List<double[]> run = new ArrayList<>();
    for (int i = 0; i <= curve.values().size(); i++) {
      double value = i < curve.values().size() ? curve.values().get(i) : Double.NaN;
      if (Double.isFinite(value)) {
        double x = left + steps.at(curve.steps().get(i)) * PLOT_WIDTH;
        double[] point = {x, top + (1 - values.at(value)) * PLOT_HEIGHT};
        run.add(point);
        if (dots) {
          picture.add(new Picture.Dot(point[0], point[1], 3.5, colour));
        }
      } else {
        if (run.size() > 1) {
          picture.add(new Picture.Line(dots ? run : thinned(run), colour, width, dash(curve)));
        } else if (run.size() == 1 && !dots) {
          picture.add(new Picture.Dot(run.get(0)[0], run.get(0)[1], 3.5, colour));
        }
        run = new ArrayList<>();
      }
    }
  }

  /** At most four points for each unit of width: more are not seen, but take space. */
  private static List<double[]> thinned(List<double[]> points) {
    if (points.size() <= MOST_POINTS) {
      return points;
    }
    List<double[]> kept = new ArrayList<>();
    int first = 0;
    for (int i = 1; i <= points.size(); i++) {
      if (i == points.size() || (int) points.get(i)[0] != (int) points.get(first)[0]) {
        List<double[]> column = points.subList(first, i);
        Comparator<double[]> byHeight = Comparator.comparingDouble(point -> point[1]);
        double[] highest = Collections.min(column, byHeight);
        double[] lowest = Collections.max(column, byHeight);
        double[] last = column.get(column.size() - 1);
        for (double[] point : column) {
          if (point == column.get(0) || point == highest || point == lowest || point == last) {
            kept.add(point);
          }
        }
        first = i;
      }
    }
    return kept;
  }

  /**
   * Writes the last value of each curve behind its end; values that would overlap are moved apart.
   */
  private void lastValues(Panel panel, Axis values, double left, double top) {
    record Label(String text, double x, double y, int colour) {}
    List<Label> labels = new ArrayList<>();
    for (Panel.Curve curve : panel.curves()) {
      if (curve.style() != Panel.Style.FAINT && !curve.isEmpty()) {
        int end = curve.values().size() - 1;
        while (!Double.isFinite(curve.values().get(end))) {
          end--;
        }
        double last = curve.values().get(end);
        labels.add(
            new Label(
                Axis.brief(last),
                left + steps.at(curve.steps().get(end)) * PLOT_WIDTH,
                top + (1 - values.at(last)) * PLOT_HEIGHT,
                colour(curve)));
      }
    }
    labels.sort(Comparator.comparingDouble(Label::y));
    double height = TYPE + 1;
    double lowest = top + PLOT_HEIGHT - height * (labels.size() - 1);
    double free = Double.NEGATIVE_INFINITY;
    for (Label label : labels) {
      double y = Math.max(free, Math.min(label.y(), lowest));
      words(label.text(), label.x() + 6, y + 4.5, Anchor.START, TYPE, false, label.colour());
      free = y + height;
      lowest += height;
    }
  }

  /** Dashed curves differ in length too, so that those of equal values do not cover each other. */
  private static double dash(Panel.Curve curve) {
    return switch (curve.style()) {
      case FAINT, LINE -> 0;
      case DASHED -> DASHES.get(curve.colour() % DASHES.size());
      case DOTS -> 4;
    };
  }

  private static int colour(Panel.Curve curve) {
    return COLOURS.get(curve.colour() % COLOURS.size());
  }

  private static int paler(int colour) {
    int red = ((colour >> 16 & 0xFF) + 2 * 255) / 3;
    int green = ((colour >> 8 & 0xFF) + 2 * 255) / 3;
    int blue = ((colour & 0xFF) + 2 * 255) / 3;
    return red << 16 | green << 8 | blue;
  }

  private void line(
      double fromX, double fromY, double toX, double toY, int colour, double width, double dash) {
    picture.add(
        new Picture.Line(
            List.of(new double[] {fromX, fromY}, new double[] {toX, toY}), colour, width, dash));
  }

  private void words(
      String text, double x, double y, Anchor anchor, int size, boolean bold, int colour) {
    picture.add(new Picture.Words(text, x, y, anchor, size, bold, colour, false));
  }

  /** An upper bound of the width of a text; the exact width depends on the font. */
  static double width(String text, int size) {
    return text.length() * size * LETTER;
  }

  /** The text on one line, truncated if it is too long. */
  private static String fitting(String text, int size, int width) {
    String line = SafeText.line(text.replaceAll("\\s+", " ").strip());
    int most = (int) (width / (size * LETTER));
    return line.length() <= most ? line : line.substring(0, most - 1).stripTrailing() + "…";
  }
}
