package org.dpo4j.data;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PushbackInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.zip.GZIPInputStream;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;

/**
 * Reads preference pairs from one file, {@code .jsonl} (an object per line) or {@code .json} (an
 * array of objects), each also as {@code .gz}, in UTF-8. One row is in memory at a time.
 *
 * <p>What a row may look like is in {@code docs/reference/data-shapes.md}.
 */
public final class PairReader implements AutoCloseable {
  private final String file;
  private final InputStream in;
  private final RowSource source;
  private final RowParser parser;
  private int rows;

  private PairReader(String file, InputStream in, RowSource source, RowFormat format) {
    this.file = file;
    this.in = in;
    this.source = source;
    this.parser = new RowParser(format);
  }

  /** Rows are read as the first of them shows. */
  public static PairReader open(Path path) {
    return open(path, RowFormat.AUTO);
  }

  /**
   * @throws UsageException if there is no such file
   * @throws DpoException if it is a folder, is not named like one of the formats or is not one
   */
  public static PairReader open(Path path, RowFormat format) {
    String file = path.toString();
    if (!Files.exists(path)) {
      throw new UsageException(
          "[%s] a data file must exist but this one does not; check the path".formatted(file));
    }
    if (!Files.isRegularFile(path)) {
      throw new DpoException(
          "[%s] data must be one file but this is %s; name a .jsonl or .json file in it"
              .formatted(file, Files.isDirectory(path) ? "a folder" : "not a regular file"));
    }
    String name = file.toLowerCase(Locale.ROOT);
    boolean packed = name.endsWith(".gz");
    String plain = packed ? name.substring(0, name.length() - 3) : name;
    if (!plain.endsWith(".jsonl") && !plain.endsWith(".json")) {
      throw new DpoException(
          ("[%s] a data file must be named .jsonl, .json, .jsonl.gz or .json.gz;"
                  + " convert it or rename it")
              .formatted(file));
    }
    try {
      InputStream in = withoutByteOrderMark(file, Files.newInputStream(path), packed);
      return new PairReader(
          file,
          in,
          plain.endsWith(".jsonl") ? new JsonLinesSource(in) : new JsonArraySource(file, in),
          format);
    } catch (IOException e) {
      throw unreadable(file, e);
    }
  }

  /**
   * The next row, or empty after the last one.
   *
   * @throws DpoException if the file is cut short, holds no row at all or has a refused column
   */
  public Optional<Row> next() {
    Optional<RowSource.RawRow> raw;
    try {
      raw = source.next();
    } catch (IOException e) {
      throw unreadable(file, e);
    }
    if (raw.isEmpty() && rows == 0) {
      throw new DpoException(
          "[%s] a data file must hold at least one row but this one holds none".formatted(file));
    }
    return raw.map(this::row);
  }

  /** Hands over all rows that are left, in order. */
  public void forEach(Consumer<Row> action) {
    for (Optional<Row> row = next(); row.isPresent(); row = next()) {
      action.accept(row.get());
    }
  }

  /** Columns without a meaning here that the rows read so far had. */
  public Set<String> ignoredColumns() {
    return Collections.unmodifiableSet(parser.ignoredColumns());
  }

  /** What the rows are, as their columns or the format say; "" before the first usable row. */
  public String description() {
    return parser.description();
  }

  @Override
  public void close() {
    try {
      in.close();
    } catch (IOException e) {
      throw unreadable(file, e);
    }
  }

  private Row row(RowSource.RawRow raw) {
    RowOrigin origin = new RowOrigin(file, raw.line(), ++rows);
    try {
      return Row.good(origin, parser.parse(origin, RowJson.read(origin, raw)));
    } catch (BadRowException problem) {
      return Row.bad(origin, problem);
    }
  }

  private static InputStream withoutByteOrderMark(String file, InputStream raw, boolean packed)
      throws IOException {
    try {
      InputStream bytes = packed ? new GZIPInputStream(raw, 1 << 16) : raw;
      PushbackInputStream in = new PushbackInputStream(new BufferedInputStream(bytes, 1 << 16), 3);
      byte[] head = in.readNBytes(3);
      String mark = HexFormat.of().formatHex(head);
      if (mark.startsWith("feff") || mark.startsWith("fffe")) {
        throw new DpoException(
            "[%s] a data file must be UTF-8 but begins with the mark of UTF-16; save it as UTF-8"
                .formatted(file));
      }
      if (!mark.equals("efbbbf")) {
        in.unread(head);
      }
      return in;
    } catch (IOException | RuntimeException e) {
      raw.close();
      throw e;
    }
  }

  private static DpoException unreadable(String file, IOException e) {
    String found = e.getMessage() == null ? "it ends too early" : e.getMessage();
    return new DpoException(
        "[%s] the file must be readable to its end but was not: %s; copy or pack it again"
            .formatted(file, found),
        e);
  }
}
