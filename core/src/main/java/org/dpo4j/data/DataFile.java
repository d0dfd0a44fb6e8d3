package org.dpo4j.data;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.dpo4j.DpoException;
import org.dpo4j.UsageException;
import org.jspecify.annotations.Nullable;

/**
 * One file of rows with the format and packing that its name implies; or rows in memory, which are
 * read like a file.
 *
 * @param path as the user wrote it or as it was found; for rows in memory their name in messages
 * @param format of the rows
 * @param packing of the whole file
 * @param rows in memory, each a map from column names to JSON values as plain Java; null for a file
 */
public record DataFile(
    Path path,
    DataFormat format,
    Packing packing,
    @Nullable Iterable<? extends Map<String, ?>> rows) {

  private static final int BUFFER = 1 << 16;
  private static final Pattern SEVERAL_LINES =
      Pattern.compile("\\{\\s*(\"[^\"]*\"\\s*:\\s*[\\[{]\\s*)?\\n");

  DataFile(Path path, DataFormat format, Packing packing) {
    this(path, format, packing, null);
  }

  /**
   * Rows in memory.
   *
   * @param name takes the place of a file's path in messages
   * @param rows iterated once per use of the data
   * @param untyped whether every value is text, as in a CSV file
   */
  static DataFile inMemory(String name, Iterable<? extends Map<String, ?>> rows, boolean untyped) {
    DataFormat format = untyped ? DataFormat.CSV : DataFormat.MEMORY;
    return new DataFile(Path.of(name), format, Packing.NONE, rows);
  }

  /** Whether a file of this name would be read as rows. */
  public static boolean isNamed(Path path) {
    return named(path).isPresent();
  }

  /** The file, if its name ends in a known format; it need not exist. */
  static Optional<DataFile> named(Path path) {
    String name = String.valueOf(path.getFileName()).toLowerCase(Locale.ROOT);
    for (DataFormat format : DataFormat.OF_FILES) {
      for (Packing packing : Packing.values()) {
        if ((packing == Packing.NONE || format.packable())
            && name.endsWith(format.suffix() + packing.suffix())) {
          return Optional.of(new DataFile(path, format, packing));
        }
      }
    }
    return Optional.empty();
  }

  /**
   * A file that exists and whose name ends in a known format.
   *
   * @throws UsageException if there is no such file
   * @throws DpoException if it is not a file or has an unknown format
   */
  public static DataFile of(Path path) {
    if (!Files.exists(path)) {
      throw new UsageException(
          "[%s] a data file must exist but this one does not; check the path".formatted(path));
    }
    if (!Files.isRegularFile(path)) {
      throw new DpoException(
          "[%s] data must be a file but this is %s; name the file"
              .formatted(path, Files.isDirectory(path) ? "a folder" : "not a regular file"));
    }
    return named(path)
        .orElseThrow(
            () ->
                new DpoException(
                    "[%s] a data file must be named %s; convert it or rename it"
                        .formatted(path, DataFormat.endings())));
  }

  /** Opens the rows. The caller closes them. */
  RowSource open() throws IOException {
    if (rows != null) {
      return new MemorySource(rows.iterator());
    }
    String file = path.toString();
    return switch (format) {
      case JSON_LINES, JSON -> json(file, text());
      case CSV -> new CsvSource(file, text(), ',');
      case TSV -> new CsvSource(file, text(), '\t');
      case PARQUET -> ParquetSource.open(path);
      case MEMORY -> throw new IllegalStateException("no file is of this format");
    };
  }

  /**
   * An array of objects or one object per line: tools write both under both names, so the first
   * byte decides.
   */
  private static RowSource json(String file, BufferedInputStream in) throws IOException {
    in.mark(BUFFER);
    String head = new String(in.readNBytes(BUFFER / 2), StandardCharsets.ISO_8859_1).stripLeading();
    in.reset();
    boolean array = head.startsWith("[") && !head.substring(1).stripLeading().startsWith("\"");
    if (SEVERAL_LINES.matcher(head).lookingAt()) {
      throw new DpoException(
          ("[%s:1] a file of JSON must be an array of objects, or hold one object a line, but its"
                  + " first object goes on over several lines; write [ ... ] around the objects with"
                  + " commas between them, or each on a line of its own")
              .formatted(file));
    }
    return array ? new JsonArraySource(file, in) : new JsonLinesSource(in);
  }

  /** The decompressed bytes after the byte order mark. */
  private BufferedInputStream text() throws IOException {
    InputStream raw = Files.newInputStream(path);
    try {
      BufferedInputStream in = new BufferedInputStream(packing.unpack(raw), BUFFER);
      in.mark(3);
      byte[] head = in.readNBytes(3);
      String mark = HexFormat.of().formatHex(head);
      if (mark.startsWith("feff") || mark.startsWith("fffe")) {
        throw new DpoException(
            "[%s] a data file must be UTF-8 but begins with the mark of UTF-16; save it as UTF-8"
                .formatted(path));
      }
      if (!mark.equals("efbbbf")) {
        in.reset();
      }
      return in;
    } catch (IOException | RuntimeException e) {
      raw.close();
      throw e;
    }
  }
}
