package org.dpo4j.data;

import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;
import org.dpo4j.DpoException;

/**
 * One row per element of a JSON array. Elements are found by counting brackets outside strings, so
 * that memory holds one element at a time and a malformed element does not end the file.
 */
final class JsonArraySource implements RowSource {
  private final String file;
  private final InputStream in;
  private int line = 1;
  private boolean started;
  private boolean ended;

  JsonArraySource(String file, InputStream in) {
    this.file = file;
    this.in = in;
  }

  @Override
  public Optional<JsonRow> next() throws IOException {
    if (!started) {
      started = true;
      skipBlanks(); // the opening bracket
      int b = skipBlanks();
      if (b == ']') {
        return end();
      }
      return Optional.of(element(b));
    }
    return ended ? Optional.empty() : Optional.of(element(skipBlanks()));
  }

  private JsonRow element(int first) throws IOException {
    int startLine = line;
    JsonRow.Bytes row = new JsonRow.Bytes();
    int depth = 0;
    boolean inString = false;
    for (int b = first; ; b = read()) {
      if (b == -1) {
        throw new DpoException(
            ("[%s:%d] the array must be closed by ] but the file ends inside the element that"
                    + " starts here; the file is cut short, or a quote or bracket is missing")
                .formatted(file, startLine));
      }
      if (inString) {
        row.add(b);
        if (b == '\\') {
          int escaped = read();
          if (escaped != -1) {
            row.add(escaped);
          }
        } else if (b == '"') {
          inString = false;
        }
        continue;
      }
      if (depth == 0 && b == ',') {
        return row.toRow(startLine);
      }
      if (depth == 0 && b == ']') {
        end();
        return row.toRow(startLine);
      }
      switch (b) {
        case '"' -> inString = true;
        case '{', '[' -> depth++;
        case '}', ']' -> depth = Math.max(0, depth - 1);
        default -> {}
      }
      row.add(b);
    }
  }

  private Optional<JsonRow> end() throws IOException {
    ended = true;
    int b = skipBlanks();
    if (b != -1) {
      throw new DpoException(
          "[%s:%d] nothing must follow the array's ] but %s does; one array per file"
              .formatted(file, line, shown(b)));
    }
    return Optional.empty();
  }

  private int skipBlanks() throws IOException {
    int b;
    do {
      b = read();
    } while (b == ' ' || b == '\t' || b == '\r' || b == '\n');
    return b;
  }

  private int read() throws IOException {
    int b = in.read();
    if (b == '\n') {
      line++;
    }
    return b;
  }

  private static String shown(int b) {
    return b > 0x20 && b < 0x7f ? "'" + (char) b + "'" : "byte 0x%02x".formatted(b);
  }

  @Override
  public void close() throws IOException {
    in.close();
  }
}
