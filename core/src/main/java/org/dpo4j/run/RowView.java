package org.dpo4j.run;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.dpo4j.ExampleKind;
import org.dpo4j.encode.EncodedCompletion;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.encode.EncodedRow;
import org.dpo4j.report.RunOutput;
import org.dpo4j.report.SafeText;
import org.dpo4j.report.StyledLine;
import org.dpo4j.report.StyledLine.Ink;
import org.dpo4j.tokenizer.TextTokenizer;

/**
 * Prints encoded rows for people, token by token.
 *
 * @param whole whether all tokens are shown, a line of text on a line, and the texts behind a cut;
 *     otherwise a long side shows those at its ends
 */
record RowView(TextTokenizer tokenizer, RunOutput output, ExampleKind kind, boolean whole) {
  private static final String DIVIDER = "│";

  /** Tokens of a side that are shown without a gap. */
  private static final int SHOWN = 64;

  /** Those at the end that matters less: the start of a prompt, the end of a completion. */
  private static final int FEWER = 16;

  private static final int MOST_BYTES = 4; // of a character in UTF-8

  /** What a decoder writes for bytes that are no character. */
  private static final char REPLACEMENT = '\uFFFD';

  private static final String INDENT = "    ";

  /** Explains the colours, where there are any. */
  void legend() {
    if (output.coloured()) {
      output.print(
          new StyledLine()
              .add("colours: ")
              .add(Ink.PROMPT, "prompt, not scored")
              .add(", ")
              .add(sideInk(0), kind == ExampleKind.PAIRS ? "chosen" : "completion")
              .add(kind == ExampleKind.PAIRS ? " and " : "")
              .add(sideInk(1), kind == ExampleKind.PAIRS ? "rejected" : "")
              .add(", scored (")
              .add(Ink.UNSCORED, "faint: not scored")
              .add("), ")
              .add(Ink.SPECIAL, "special tokens")
              .add(", ")
              .add(Ink.LOST, "cut or wrong"));
    }
  }

  /** Prints a row and an empty line. */
  void show(EncodedRow row) {
    boolean lost = row.status() != EncodedRow.Status.KEPT;
    output.print(
        new StyledLine()
            .add(Ink.HEADING, "%s row %d: ".formatted(row.origin(), row.origin().row()))
            .add(lost ? Ink.LOST : Ink.HEADING, row.isBad() ? "bad" : row.status().toString())
            .add(row.reason().isEmpty() ? "" : ", " + row.reason())
            .add(
                kind == ExampleKind.LABELED
                    ? row.usable()
                        .map(EncodedExample::isDesirable)
                        .map(", label %s"::formatted)
                        .orElse("")
                    : "")
            .add(
                row.numbers().weight().isPresent()
                    ? ", weight " + row.numbers().weight().getAsDouble()
                    : ""));
    if (row.usable().isPresent()) {
      sides(row, row.usable().get());
    } else if (!row.isBad()) {
      unused(row);
    }
    if (!row.unmatchedPromptIds().isEmpty()) {
      line(
          Ink.PLAIN,
          "note",
          "the prompt alone ends in other tokens (%s); the boundary is before them"
              .formatted(
                  row.unmatchedPromptIds().stream()
                      .map(this::token)
                      .collect(Collectors.joining(DIVIDER))));
    }
    if (whole && !row.isBad()) {
      line(Ink.PLAIN, "boundary", row.boundary().words());
    }
    row.warnings().forEach(text -> line(Ink.LOST, row.isBad() ? "bad" : "warning", text));
    row.notes().forEach(text -> line(Ink.PLAIN, "note", text));
    output.print(new StyledLine());
  }

  private void line(Ink ink, String name, String text) {
    output.print(new StyledLine().add("  ").add(ink, name).add(": " + text));
  }

  private void sides(EncodedRow row, EncodedExample example) {
    int prompt = example.promptIds().length;
    side(
        "prompt",
        example.promptIds(),
        prompt == row.uncut().prompt() ? "" : cut(row.uncut().prompt() - prompt),
        place -> Ink.PROMPT,
        false);
    for (int i = 0; i < example.completions().size(); i++) {
      EncodedCompletion completion = example.completions().get(i);
      int[] ids = completion.ids();
      BitSet unscored = completion.unscored() == null ? new BitSet() : completion.unscored();
      int lost = row.uncut().completions().get(i) - ids.length;
      Ink ink = sideInk(i);
      side(
          example.column(completion),
          ids,
          lost <= 0 ? "" : cut(lost),
          // Nothing predicts the first token of all.
          place -> unscored.get(place) || (prompt == 0 && place == 0) ? Ink.UNSCORED : ink,
          true);
      if (whole && lost > 0) {
        String text = row.texts().completions().get(i);
        String kept = tokenizer.decode(ids);
        text(Ink.LOST, "cut off", text.startsWith(kept) ? text.substring(kept.length()) : text);
      }
    }
  }

  private static Ink sideInk(int side) {
    return side == 0 ? Ink.CHOSEN : Ink.REJECTED;
  }

  private void unused(EncodedRow row) {
    List<String> columns = columns(row.uncut().completions().size());
    output.print(
        new StyledLine()
            .add(
                "  prompt %d ids%s"
                    .formatted(
                        row.uncut().prompt(),
                        IntStream.range(0, columns.size())
                            .mapToObj(
                                i ->
                                    ", %s %d"
                                        .formatted(
                                            columns.get(i), row.uncut().completions().get(i)))
                            .collect(Collectors.joining()))));
    if (whole) {
      text(Ink.PROMPT, "prompt", row.texts().prompt());
      for (int i = 0; i < columns.size(); i++) {
        text(sideInk(i), columns.get(i), row.texts().completions().get(i));
      }
    }
  }

  /** The columns of a row's completions. */
  static List<String> columns(int completions) {
    return switch (completions) {
      case 0 -> List.of();
      case 1 -> List.of("completion");
      default -> List.of("chosen", "rejected");
    };
  }

  private static String cut(int ids) {
    return DIVIDER + " ... " + ids + " ids cut";
  }

  /**
   * @param ink of the token at a place
   * @param startMatters whether the start of the side is of more interest than its end
   */
  private void side(
      String name, int[] ids, String cut, IntFunction<Ink> ink, boolean startMatters) {
    long scored =
        IntStream.range(0, ids.length)
            .filter(i -> ink.apply(i) != Ink.UNSCORED && ink.apply(i) != Ink.PROMPT)
            .count();
    String state = scored == 0 ? "" : scored == ids.length ? "" : ", %d scored".formatted(scored);
    StyledLine line =
        new StyledLine()
            .add(kind == ExampleKind.PAIRS ? "  %-8s ".formatted(name) : "  %-10s ".formatted(name))
            .add("%4d ids%s%s".formatted(ids.length, state, whole ? "" : "  "));
    List<StyledLine> lines = new ArrayList<>(List.of(line));
    boolean gap = !whole && ids.length > SHOWN;
    int from = startMatters ? SHOWN - FEWER : FEWER;
    int to = ids.length - (SHOWN - from);
    boolean broken = whole;
    for (Cell cell : cells(ids)) {
      if (gap && cell.end() > from && cell.start() < to) {
        if (cell.start() <= from) {
          line.add(DIVIDER + " ... " + (to - from) + " ids ... ");
        }
        continue;
      }
      if (broken) {
        line = new StyledLine().add(INDENT);
        lines.add(line);
      } else if (cell.start() > 0) {
        line.add(DIVIDER);
      }
      boolean special = tokenizer.isSpecial(ids[cell.start()]);
      line.add(special ? Ink.SPECIAL : ink.apply(cell.start()), cell.shown());
      broken = whole && cell.text().indexOf('\n') >= 0;
    }
    line.add(cut.isEmpty() ? Ink.PLAIN : Ink.LOST, cut);
    lines.forEach(output::print);
  }

  /**
   * A token, or several that are one character only together.
   *
   * @param start index of the first
   * @param end index after the last
   */
  private record Cell(int start, int end, String text) {

    /** With the number of tokens in small digits, if there are several. */
    String shown() {
      return end - start == 1 ? safe(text) : safe(text) + (char) ('\u2080' + end - start);
    }
  }

  private List<Cell> cells(int[] ids) {
    List<Cell> cells = new ArrayList<>();
    for (int start = 0; start < ids.length; start = cells.get(cells.size() - 1).end()) {
      String alone = tokenizer.decode(new int[] {ids[start]});
      Cell cell = new Cell(start, start + 1, alone);
      int most = Math.min(ids.length, start + MOST_BYTES);
      for (int end = start + 2; end <= most && isPiece(cell.text()); end++) {
        cell = new Cell(start, end, tokenizer.decode(Arrays.copyOfRange(ids, start, end)));
      }
      cells.add(isPiece(cell.text()) ? new Cell(start, start + 1, alone) : cell);
    }
    return cells;
  }

  private static boolean isPiece(String text) {
    return text.indexOf(REPLACEMENT) >= 0;
  }

  /** A text in lines as it is. */
  private void text(Ink ink, String name, String text) {
    output.print(new StyledLine().add("  " + name));
    text.lines().forEach(line -> output.print(new StyledLine().add(INDENT).add(ink, safe(line))));
  }

  /** A token with line breaks, tabs and what is invisible escaped. */
  private String token(int id) {
    return safe(tokenizer.decode(new int[] {id}));
  }

  private static String safe(String text) {
    return SafeText.line(text.replace("\\", "\\\\").replace("\t", "\\t"));
  }
}
