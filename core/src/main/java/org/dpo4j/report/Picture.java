package org.dpo4j.report;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.AffineTransform;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Path2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import javax.imageio.ImageIO;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Lines, dots and words on white, written as PNG or SVG without a screen. */
public final class Picture {
  private static final Logger LOG = LoggerFactory.getLogger(Picture.class);

  /** PNG pixels per unit; more than 1, so that text is sharp on current screens. */
  private static final double SCALE = 1.5;

  /** The part of a text that is at its x coordinate. */
  enum Anchor {
    START,
    MIDDLE,
    END
  }

  /** One thing to draw. Colors are 0xRRGGBB; y grows downward. */
  sealed interface Mark {}

  /**
   * A line through points.
   *
   * @param points x and y of each
   * @param dash lengths of a dash and of the gap after it; 0 for a solid line
   */
  record Line(List<double[]> points, int colour, double width, double dash) implements Mark {}

  /** A filled circle. */
  record Dot(double x, double y, double radius, int colour) implements Mark {}

  /**
   * Words on one line.
   *
   * @param y of the baseline
   * @param upright whether they are rotated to read from bottom to top
   */
  record Words(
      String text,
      double x,
      double y,
      Anchor anchor,
      int size,
      boolean bold,
      int colour,
      boolean upright)
      implements Mark {

    Words {
      text = SafeText.line(text);
    }
  }

  private final int width;
  private final int height;
  private final List<Mark> marks = new ArrayList<>();

  Picture(int width, int height) {
    this.width = width;
    this.height = height;
  }

  void add(Mark mark) {
    marks.add(mark);
  }

  /** The marks in drawing order. */
  List<Mark> marks() {
    return List.copyOf(marks);
  }

  /**
   * Writes a PNG. If it cannot be drawn (on a system without fonts, for example), this logs a
   * warning and writes no file, because a finished run must not fail for its picture.
   *
   * @throws IOException when the file cannot be written
   */
  public void writePng(Path file) throws IOException {
    System.setProperty("java.awt.headless", System.getProperty("java.awt.headless", "true"));
    byte[] bytes;
    try {
      bytes = png();
    } catch (OutOfMemoryError e) {
      throw e;
    } catch (RuntimeException | Error e) {
      // Without fonts AWT fails with plain Errors.
      LOG.warn(
          "{} is left out: without fontconfig and a font the JDK draws no text; install them ({})",
          file.getFileName(),
          rootCause(e).toString());
      return;
    }
    Files.write(file, bytes);
  }

  private static Throwable rootCause(Throwable failure) {
    Throwable cause = failure;
    while (cause.getCause() != null && cause.getCause() != cause) {
      cause = cause.getCause();
    }
    return cause;
  }

  private byte[] png() throws IOException {
    BufferedImage image =
        new BufferedImage(
            (int) (width * SCALE), (int) (height * SCALE), BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    try {
      graphics.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
      graphics.setRenderingHint(
          RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
      graphics.setRenderingHint(
          RenderingHints.KEY_STROKE_CONTROL, RenderingHints.VALUE_STROKE_PURE);
      graphics.setColor(Color.WHITE);
      graphics.fillRect(0, 0, image.getWidth(), image.getHeight());
      graphics.scale(SCALE, SCALE);
      marks.forEach(mark -> draw(graphics, mark));
    } finally {
      graphics.dispose();
    }
    try (ByteArrayOutputStream out = new ByteArrayOutputStream()) {
      // No disk cache: the folder for temporary files may be read-only.
      ImageIO.setUseCache(false);
      ImageIO.write(image, "png", out);
      return out.toByteArray();
    }
  }

  private static void draw(Graphics2D graphics, Mark mark) {
    if (mark instanceof Line line) {
      graphics.setColor(new Color(line.colour()));
      float[] dashes = line.dash() == 0 ? null : new float[] {(float) line.dash()};
      graphics.setStroke(
          new BasicStroke(
              (float) line.width(), BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 1f, dashes, 0f));
      Path2D path = new Path2D.Double();
      for (int i = 0; i < line.points().size(); i++) {
        double[] point = line.points().get(i);
        if (i == 0) {
          path.moveTo(point[0], point[1]);
        } else {
          path.lineTo(point[0], point[1]);
        }
      }
      graphics.draw(path);
    } else if (mark instanceof Dot dot) {
      graphics.setColor(new Color(dot.colour()));
      graphics.fill(
          new Ellipse2D.Double(
              dot.x() - dot.radius(), dot.y() - dot.radius(), 2 * dot.radius(), 2 * dot.radius()));
    } else if (mark instanceof Words words) {
      draw(graphics, words);
    }
  }

  private static void draw(Graphics2D graphics, Words words) {
    graphics.setColor(new Color(words.colour()));
    graphics.setFont(
        new Font(Font.SANS_SERIF, words.bold() ? Font.BOLD : Font.PLAIN, words.size()));
    double length = graphics.getFontMetrics().stringWidth(words.text());
    double shift =
        switch (words.anchor()) {
          case START -> 0;
          case MIDDLE -> -length / 2;
          case END -> -length;
        };
    AffineTransform before = graphics.getTransform();
    graphics.translate(words.x(), words.y());
    if (words.upright()) {
      graphics.rotate(-Math.PI / 2);
    }
    graphics.drawString(words.text(), (float) shift, 0f);
    graphics.setTransform(before);
  }

  /**
   * Writes an SVG, which needs no font.
   *
   * @throws IOException when the file cannot be written
   */
  public void writeSvg(Path file) throws IOException {
    Files.writeString(file, svg());
  }

  /** The SVG as text. */
  String svg() {
    StringBuilder svg = new StringBuilder();
    svg.append(
        format(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\""
                + " height=\"%d\" font-family=\"sans-serif\">\n"
                + "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
            width, height, width, height));
    marks.forEach(mark -> svg.append(element(mark)).append('\n'));
    return svg.append("</svg>\n").toString();
  }

  private static String element(Mark mark) {
    if (mark instanceof Line line) {
      StringBuilder points = new StringBuilder();
      line.points().forEach(point -> points.append(format(" %.1f,%.1f", point[0], point[1])));
      return format(
          "<polyline points=\"%s\" fill=\"none\" stroke=\"#%06x\" stroke-width=\"%.1f\""
              + " stroke-linejoin=\"round\"%s/>",
          points.toString().strip(),
          line.colour(),
          line.width(),
          line.dash() == 0 ? "" : format(" stroke-dasharray=\"%.0f\"", line.dash()));
    } else if (mark instanceof Dot dot) {
      return format(
          "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"#%06x\"/>",
          dot.x(), dot.y(), dot.radius(), dot.colour());
    }
    Words words = (Words) mark;
    return format(
        "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%d\"%s text-anchor=\"%s\" fill=\"#%06x\"%s>%s</text>",
        words.x(),
        words.y(),
        words.size(),
        words.bold() ? " font-weight=\"bold\"" : "",
        words.anchor().name().toLowerCase(Locale.ROOT),
        words.colour(),
        words.upright() ? format(" transform=\"rotate(-90 %.1f %.1f)\"", words.x(), words.y()) : "",
        SafeText.xml(words.text()));
  }

  private static String format(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }
}
