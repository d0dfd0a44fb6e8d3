package org.dpo4j.data;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.DpoException;
import org.jspecify.annotations.Nullable;

/**
 * One row per record of a CSV file (RFC 4180) whose first record names the columns. A cell in
 * quotes may hold line breaks and, doubled, quotes. Blank lines are skipped but counted. If the
 * first line lacks the separator that the file name implies, it decides the separator: a comma, a
 * semicolon (which spreadsheets write in many locales) or a tab.
 */
final class CsvSource implements RowSource {
  private static final int MAX_CELLS = 10_000;

  private final String file;
  private InputStream in;
  private char separator;
  private int line = 1;
  private @Nullable List<String> header;

  CsvSource(String file, InputStream in, char separator) {
    this.file = file;
    this.in = in;
    this.separator = separator;
  }

  /**
   * @param text the cell's bytes
   * @param quoted whether it was quoted: {@code ""} is an empty string, an empty cell is a missing
   *     value
   */
  @SuppressWarnings("ArrayRecordComponent") // used inside this class only
  private record Cell(byte[] text, boolean quoted) {}

  private record CsvRow(
      List<String> header, List<Cell> cells, int line, boolean tooLong, boolean afterQuote)
      implements RawRow {

    @Override
    public Map<?, ?> columns(RowOrigin origin) {
      if (tooLong) {
        throw new BadRowException(
            origin,
            "row too long",
            "a row must have at most %d MiB and %,d cells; is a quote or a line break missing?"
                .formatted(MAX_ROW_BYTES >> 20, MAX_CELLS));
      }
      if (afterQuote) {
        throw new BadRowException(
            origin,
            "text behind a closing quote",
            "a cell in quotes must end at its quote; write a quote inside it twice");
      }
      if (cells.size() == header.size() && isHeader()) {
        throw new BadRowException(
            origin,
            "first line repeated",
            "the row is the line that names the columns; files were joined, remove the line");
      }
      if (cells.size() != header.size()) {
        throw new BadRowException(
            origin,
            "wrong number of cells",
            "the first line names %d columns but the row has %d cells; put cells with a separator, quote or line break in quotes"
                .formatted(header.size(), cells.size()));
      }
      Map<String, @Nullable Object> columns = new LinkedHashMap<>();
      for (int i = 0; i < header.size(); i++) {
        Cell cell = cells.get(i);
        boolean absent = cell.text().length == 0 && !cell.quoted();
        columns.put(header.get(i), absent ? null : RowJson.decode(origin, cell.text()));
      }
      return columns;
    }

    private boolean isHeader() {
      for (int i = 0; i < header.size(); i++) {
        String cell = new String(cells.get(i).text(), StandardCharsets.UTF_8).replace("\uFEFF", "");
        boolean index = i == 0 && cell.isBlank();
        if (!index && !cell.strip().equals(header.get(i))) {
          return false;
        }
      }
      return true;
    }
  }

  @Override
  public Optional<CsvRow> next() throws IOException {
    if (header == null) {
      findSeparator();
      header = header();
    }
    return record(header);
  }

  /** Chooses the separator from the first line, outside quotes. */
  private void findSeparator() throws IOException {
    ByteArrayOutputStream seen = new ByteArrayOutputStream();
    int[] counts = new int[128];
    boolean inQuotes = false;
    boolean blank = true;
    int b = in.read();
    while (b != -1 && seen.size() < MAX_ROW_BYTES && (blank || inQuotes || b != '\n')) {
      seen.write(b);
      blank &= b == '\n' || b == '\r';
      inQuotes ^= b == '"';
      if (!inQuotes && b < counts.length) {
        counts[b]++;
      }
      b = in.read();
    }
    if (b != -1) {
      seen.write(b);
    }
    if (counts[separator] == 0) {
      for (char other : new char[] {',', ';', '\t'}) {
        separator = counts[other] > counts[separator] ? other : separator;
      }
    }
    in = new SequenceInputStream(new ByteArrayInputStream(seen.toByteArray()), in);
  }

  private List<String> header() throws IOException {
    Optional<CsvRow> first = record(List.of());
    if (first.isEmpty()) {
      return List.of();
    }
    CsvRow row = first.get();
    RowOrigin origin = new RowOrigin(file, row.line(), 0);
    List<String> names = new ArrayList<>();
    for (Cell cell : row.cells()) {
      String name = RowJson.decode(origin, cell.text()).strip();
      if (name.isEmpty() && names.isEmpty() && row.cells().size() > 1) {
        name = "Unnamed: 0"; // the index column of pandas, named as pandas names it
      }
      if (name.isEmpty() || names.contains(name) || row.tooLong() || row.afterQuote()) {
        throw new DpoException(
            "%s the first line must name each column once but cell %d is %s; write a first line such as prompt,chosen,rejected"
                .formatted(
                    origin,
                    names.size() + 1,
                    name.isEmpty()
                        ? "empty"
                        : names.contains(name) ? "a repetition" : "not a name"));
      }
      names.add(name);
    }
    return names;
  }

  private Optional<CsvRow> record(List<String> names) throws IOException {
    int b = read();
    while (b == '\n' || b == '\r') {
      b = read();
    }
    if (b == -1) {
      return Optional.empty();
    }
    int startLine = line;
    List<Cell> cells = new ArrayList<>();
    ByteArrayOutputStream cell = new ByteArrayOutputStream();
    int size = 0;
    boolean quoted = false;
    boolean inQuotes = false;
    boolean afterQuote = false;
    for (; ; b = read()) {
      if (inQuotes) {
        if (b == -1) {
          throw new DpoException(
              "[%s:%d] a quote must be closed but the file ends inside the row that starts here; the file is cut short, or a quote is missing"
                  .formatted(file, startLine));
        }
        if (b != '"') {
          size = add(cell, b, size);
          continue;
        }
        b = read();
        if (b == '"') {
          size = add(cell, b, size);
          continue;
        }
        inQuotes = false;
      }
      if (b == '\r') {
        b = read();
        if (b != '\n' && b != -1) { // a lone carriage return is text
          afterQuote |= quoted;
          size = add(cell, '\r', size);
        }
      }
      if (b == separator || b == '\n' || b == -1) {
        if (cells.size() < MAX_CELLS) {
          cells.add(new Cell(cell.toByteArray(), quoted));
        } else {
          size = MAX_ROW_BYTES + 1;
        }
        cell.reset();
        quoted = false;
        if (b != separator) {
          return Optional.of(
              new CsvRow(names, List.copyOf(cells), startLine, size > MAX_ROW_BYTES, afterQuote));
        }
      } else if (b == '"' && cell.size() == 0 && !quoted) {
        quoted = true;
        inQuotes = true;
      } else {
        afterQuote |= quoted;
        size = add(cell, b, size);
      }
    }
  }

  /** Counts a byte, and stores it while the row is within the limit. */
  private static int add(ByteArrayOutputStream cell, int b, int size) {
    if (size < MAX_ROW_BYTES) {
      cell.write(b);
    }
    return size <= MAX_ROW_BYTES ? size + 1 : size;
  }

  private int read() throws IOException {
    int b = in.read();
    if (b == '\n') {
      line++;
    }
    return b;
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}
