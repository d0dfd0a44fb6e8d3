package org.dpo4j.data;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.dpo4j.DpoException;

/** The rows of a file, one at a time, with every value checked. */
final class FileRows implements AutoCloseable {
  private final String file;
  private final RowSource source;
  private final boolean untyped;
  private int rows;

  private FileRows(String file, RowSource source, boolean untyped) {
    this.file = file;
    this.source = source;
    this.untyped = untyped;
  }

  /**
   * Opens a file in a format of rows.
   *
   * @throws DpoException if it cannot be read
   */
  static FileRows open(Path path) {
    DataFile file = DataFile.of(path);
    try {
      return new FileRows(path.toString(), file.open(), file.format().untyped());
    } catch (IOException e) {
      throw failed(path.toString(), e);
    }
  }

  /**
   * The next row, or empty at the end.
   *
   * @throws DpoException if the file cannot be read to its end
   * @throws BadRowException if the row is malformed
   */
  Optional<RowFields> next() {
    try {
      Optional<? extends RowSource.RawRow> raw = source.next();
      if (raw.isEmpty()) {
        return Optional.empty();
      }
      RowOrigin origin = new RowOrigin(file, raw.get().line(), ++rows);
      Map<?, ?> columns = JsonCells.read(origin, raw.get().columns(origin), untyped);
      columns.values().forEach(value -> RowJson.check(origin, value));
      return Optional.of(new RowFields(origin, columns, rows == 1));
    } catch (IOException e) {
      throw failed(file, e);
    }
  }

  private static DpoException failed(String file, IOException e) {
    return new DpoException("[" + file + "] cannot be read: " + FileFailure.reason(e), e);
  }

  @Override
  public void close() {
    try {
      source.close();
    } catch (IOException e) {
      throw failed(file, e);
    }
  }
}
