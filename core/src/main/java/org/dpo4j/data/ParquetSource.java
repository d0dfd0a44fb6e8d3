package org.dpo4j.data;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.apache.parquet.format.FileMetaData;
import org.apache.parquet.format.RowGroup;
import org.apache.parquet.format.Util;
import org.apache.parquet.io.ColumnIOFactory;
import org.apache.parquet.io.MessageColumnIO;
import org.apache.parquet.io.RecordReader;
import org.dpo4j.DpoException;
import org.dpo4j.Interruption;
import org.dpo4j.options.Limit;
import org.jspecify.annotations.Nullable;

/**
 * One row per record of a Parquet file. Memory holds one page and the dictionary of each column.
 */
final class ParquetSource implements RowSource {
  private static final byte[] MAGIC = "PAR1".getBytes(StandardCharsets.US_ASCII);
  private static final int TAIL = 4 + MAGIC.length;

  private final Path path;
  private final FileChannel channel;
  private final FileMetaData footer;
  private final MessageColumnIO columns;
  private int group;
  private long left;
  private long rows;
  private @Nullable RecordReader<Map<String, @Nullable Object>> reader;

  private ParquetSource(
      Path path, FileChannel channel, FileMetaData footer, MessageColumnIO columns) {
    this.path = path;
    this.channel = channel;
    this.footer = footer;
    this.columns = columns;
  }

  /**
   * Reads the footer.
   *
   * @throws DpoException if it is not a Parquet file or its footer is damaged
   */
  static ParquetSource open(Path path) throws IOException {
    FileChannel channel = FileChannel.open(path);
    try {
      FileMetaData footer = footer(path, channel);
      requireRows(path, footer, channel.size());
      MessageColumnIO columns =
          new ColumnIOFactory().getColumnIO(ParquetSchema.of(path, footer.getSchema()));
      return new ParquetSource(path, channel, footer, columns);
    } catch (IOException | DpoException e) {
      channel.close();
      throw e;
    } catch (RuntimeException e) {
      channel.close();
      throw damaged(path, "its footer", e);
    } catch (OutOfMemoryError e) { // the library makes lists of the length that they state
      channel.close();
      throw damaged(path, "its footer", null);
    }
  }

  private static FileMetaData footer(Path path, FileChannel channel) throws IOException {
    long size = channel.size();
    if (!Arrays.equals(read(channel, 0, MAGIC.length), MAGIC)) {
      throw new DpoException(
          ("[%s] a .parquet file must begin with PAR1 but this one does not; if it is a git-lfs"
                  + " pointer run git lfs pull, else rename or convert it")
              .formatted(path));
    }
    byte[] tail = read(channel, Math.max(0, size - TAIL), TAIL);
    if (size < MAGIC.length + TAIL || !Arrays.equals(tail, 4, TAIL, MAGIC, 0, MAGIC.length)) {
      throw new DpoException(
          "[%s] a .parquet file must end with PAR1 but this one does not; it is cut short, copy it"
                  .formatted(path)
              + " again");
    }
    int length = ByteBuffer.wrap(tail).order(ByteOrder.LITTLE_ENDIAN).getInt();
    if (length < 0 || length > size - MAGIC.length - TAIL) {
      throw damaged(path, "its footer", null);
    }
    byte[] bytes = read(channel, size - TAIL - length, length);
    try {
      return Util.readFileMetaData(new ByteArrayInputStream(bytes));
    } catch (IOException e) {
      throw damaged(path, "its footer", e);
    }
  }

  /** A few bytes can stand for any number of empty rows. */
  private static void requireRows(Path path, FileMetaData footer, long bytes) {
    long left = Limit.EXPANSION.value() * Math.min(bytes, Long.MAX_VALUE / Limit.EXPANSION.value());
    for (RowGroup group : footer.getRow_groups()) {
      if (group.getNum_rows() < 0) {
        throw damaged(path, "its footer", null);
      }
      left -= Math.min(group.getNum_rows(), left + 1);
      if (left < 0) {
        throw Limit.EXPANSION.exceeded("[" + path + "]", "its number of rows");
      }
    }
  }

  /** A row that exceeds a limit. */
  static final class RowTooLarge extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final Limit limit;

    RowTooLarge(Limit limit) {
      super(limit.name());
      this.limit = limit;
    }
  }

  /** Up to {@code length} bytes from a position, fewer at the end of the file. */
  private static byte[] read(FileChannel channel, long position, int length) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(length);
    int read = 0;
    while (bytes.hasRemaining() && read >= 0) {
      read = channel.read(bytes, position + bytes.position());
    }
    return Arrays.copyOf(bytes.array(), bytes.position());
  }

  /** A record, located by its number. */
  private record ParquetRow(Map<String, @Nullable Object> values) implements RawRow {
    @Override
    public int line() {
      return 0;
    }

    @Override
    public Map<?, ?> columns(RowOrigin origin) {
      return values;
    }
  }

  @Override
  public Optional<ParquetRow> next() throws IOException {
    try {
      while (left == 0) {
        if (group == footer.getRow_groupsSize()) {
          return Optional.empty();
        }
        RowGroup next = footer.getRow_groups().get(group);
        group++;
        left = next.getNum_rows();
        if (left > 0) {
          reader =
              columns.getRecordReader(
                  new ParquetPages(path, channel, columns.getType(), next),
                  new ParquetValues(columns.getType()));
        }
      }
      left--;
      rows++;
      return Optional.of(new ParquetRow(Objects.requireNonNull(reader).read()));
    } catch (DpoException e) {
      throw e;
    } catch (RuntimeException e) {
      for (Throwable cause = e; cause != null; cause = cause.getCause()) {
        if (cause instanceof DpoException known) {
          throw known;
        }
        if (cause instanceof RowTooLarge large) {
          throw large.limit.exceeded("[%s row %d]".formatted(path, rows), "a row");
        }
      }
      throw damaged(path, "its data at or behind row " + Math.max(1, rows), e);
    } catch (OutOfMemoryError e) {
      // A damaged length of delta-encoded values: the library makes an array before it reads on.
      throw damaged(path, "its data at or behind row " + Math.max(1, rows), null);
    }
  }

  static DpoException damaged(Path path, String what, @Nullable Exception cause) {
    String message =
        Interruption.caused(cause)
            ? "[%s] %s".formatted(path, Interruption.REASON)
            : "[%s] a Parquet file must be whole but %s cannot be read; copy it again, or write it anew"
                .formatted(path, what);
    return cause == null ? new DpoException(message) : new DpoException(message, cause);
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
