package org.dpo4j.data;

import io.airlift.compress.Decompressor;
import io.airlift.compress.lz4.Lz4Decompressor;
import io.airlift.compress.snappy.SnappyDecompressor;
import io.airlift.compress.zstd.ZstdDecompressor;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.zip.GZIPInputStream;
import org.apache.parquet.bytes.BytesInput;
import org.apache.parquet.column.ColumnDescriptor;
import org.apache.parquet.column.Encoding;
import org.apache.parquet.column.page.DataPage;
import org.apache.parquet.column.page.DataPageV1;
import org.apache.parquet.column.page.DataPageV2;
import org.apache.parquet.column.page.DictionaryPage;
import org.apache.parquet.column.page.PageReadStore;
import org.apache.parquet.column.page.PageReader;
import org.apache.parquet.column.statistics.Statistics;
import org.apache.parquet.format.ColumnChunk;
import org.apache.parquet.format.ColumnMetaData;
import org.apache.parquet.format.CompressionCodec;
import org.apache.parquet.format.DataPageHeader;
import org.apache.parquet.format.DataPageHeaderV2;
import org.apache.parquet.format.PageHeader;
import org.apache.parquet.format.PageType;
import org.apache.parquet.format.RowGroup;
import org.apache.parquet.format.Util;
import org.apache.parquet.schema.MessageType;
import org.dpo4j.DpoException;
import org.dpo4j.options.Limit;
import org.jspecify.annotations.Nullable;

/** The pages of a row group, read and decompressed on demand. */
final class ParquetPages implements PageReadStore {
  private final Path path;
  private final FileChannel channel;
  private final MessageType schema;
  private final RowGroup group;

  ParquetPages(Path path, FileChannel channel, MessageType schema, RowGroup group) {
    this.path = path;
    this.channel = channel;
    this.schema = schema;
    this.group = group;
  }

  @Override
  public long getRowCount() {
    return group.getNum_rows();
  }

  @Override
  public PageReader getPageReader(ColumnDescriptor column) {
    List<String> name = Arrays.asList(column.getPath());
    ColumnChunk chunk =
        group.getColumns().stream()
            .filter(candidate -> candidate.getMeta_data().getPath_in_schema().equals(name))
            .findFirst()
            .orElseThrow(
                () -> ParquetSource.damaged(path, "column " + String.join(".", name), null));
    return new Column(chunk.getMeta_data(), String.join(".", name), column);
  }

  /** The pages of one column, in order, through a window on the file. */
  private final class Column implements PageReader {
    private final ColumnMetaData chunk;
    private final String name;
    private final ColumnDescriptor descriptor;
    private final InputStream in;
    private long valuesLeft;
    private @Nullable PageHeader waiting;

    Column(ColumnMetaData chunk, String name, ColumnDescriptor descriptor) {
      this.chunk = chunk;
      this.name = name;
      this.descriptor = descriptor;
      this.valuesLeft = chunk.getNum_values();
      long dictionary = chunk.isSetDictionary_page_offset() ? chunk.getDictionary_page_offset() : 0;
      long data = chunk.getData_page_offset();
      long from = dictionary > 0 ? Math.min(dictionary, data) : data;
      // The remaining value count decides the end: some writers leave the dictionary out of the
      // chunk's size.
      this.in = new BufferedInputStream(new Window(from), 1 << 16);
      if (!schema.getType(descriptor.getPath()).isPrimitive() || from < 0) {
        throw damaged(null);
      }
    }

    @Override
    public long getTotalValueCount() {
      return chunk.getNum_values();
    }

    @Override
    public @Nullable DictionaryPage readDictionaryPage() {
      PageHeader header = peek();
      if (header == null || header.getType() != PageType.DICTIONARY_PAGE) {
        return null;
      }
      waiting = null;
      byte[] values = unpack(body(header), header.getUncompressed_page_size());
      int count = header.getDictionary_page_header().getNum_values();
      if (count < 0 || count > values.length) { // the reader makes an array of this length
        throw damaged(null);
      }
      return new DictionaryPage(
          BytesInput.from(values),
          count,
          encoding(header.getDictionary_page_header().getEncoding()));
    }

    @Override
    public @Nullable DataPage readPage() {
      for (PageHeader header = peek(); header != null; header = peek()) {
        waiting = null;
        if (header.getType() == PageType.DATA_PAGE) {
          DataPageHeader data = header.getData_page_header();
          count(data.getNum_values());
          return new DataPageV1(
              BytesInput.from(unpack(body(header), header.getUncompressed_page_size())),
              data.getNum_values(),
              header.getUncompressed_page_size(),
              Statistics.createStats(descriptor.getPrimitiveType()),
              encoding(data.getRepetition_level_encoding()),
              encoding(data.getDefinition_level_encoding()),
              encoding(data.getEncoding()));
        }
        if (header.getType() == PageType.DATA_PAGE_V2) {
          return secondVersion(header);
        }
        body(header); // an index page, or a page type of a later version
      }
      return null;
    }

    /** Only the values are compressed; the levels before them are not. */
    private DataPage secondVersion(PageHeader header) {
      DataPageHeaderV2 data = header.getData_page_header_v2();
      count(data.getNum_values());
      byte[] body = body(header);
      int repetition = data.getRepetition_levels_byte_length();
      int levels = repetition + data.getDefinition_levels_byte_length();
      if (repetition < 0 || levels < repetition || levels > body.length) {
        throw damaged(null);
      }
      byte[] values = Arrays.copyOfRange(body, levels, body.length);
      if (data.isIs_compressed()) {
        values = unpack(values, header.getUncompressed_page_size() - levels);
      }
      return DataPageV2.uncompressed(
          data.getNum_rows(),
          data.getNum_nulls(),
          data.getNum_values(),
          BytesInput.from(body, 0, repetition),
          BytesInput.from(body, repetition, levels - repetition),
          encoding(data.getEncoding()),
          BytesInput.from(values),
          Statistics.createStats(descriptor.getPrimitiveType()));
    }

    private void count(int values) {
      if (values < 0 || values > valuesLeft) {
        throw damaged(null);
      }
      valuesLeft -= values;
    }

    private @Nullable PageHeader peek() {
      try {
        if (waiting == null && valuesLeft > 0) {
          waiting = Util.readPageHeader(in);
        }
        return waiting;
      } catch (IOException e) {
        throw damaged(e);
      }
    }

    private byte[] body(PageHeader header) {
      int length = header.getCompressed_page_size();
      requirePage(length);
      try {
        byte[] body = in.readNBytes(length);
        if (body.length < length) {
          throw damaged(null);
        }
        return body;
      } catch (IOException e) {
        throw damaged(e);
      }
    }

    private byte[] unpack(byte[] packed, int size) {
      requirePage(size);
      CompressionCodec codec = chunk.getCodec();
      byte[] unpacked =
          switch (codec) {
            case UNCOMPRESSED -> packed;
            case GZIP -> gunzip(packed, size);
            case SNAPPY -> unpack(new SnappyDecompressor(), packed, size);
            case ZSTD -> unpack(new ZstdDecompressor(), packed, size);
            case LZ4_RAW -> unpack(new Lz4Decompressor(), packed, size);
            case LZO, BROTLI, LZ4 ->
                throw new DpoException(
                    ("[%s] column %s is packed by %s, which is not supported; write the file with"
                            + " snappy, zstd, gzip or lz4_raw")
                        .formatted(path, name, codec));
          };
      if (unpacked.length != size) {
        throw damaged(null);
      }
      return unpacked;
    }

    private void requirePage(int bytes) {
      if (bytes < 0) {
        throw damaged(null);
      }
      if (bytes > Limit.PAGE_BYTES.value()) {
        throw Limit.PAGE_BYTES.exceeded("[" + path + "]", "a page of column " + name);
      }
    }

    private byte[] unpack(Decompressor codec, byte[] packed, int size) {
      byte[] unpacked = new byte[size];
      int length =
          packed.length == 0
              ? 0
              : codec.decompress(packed, 0, packed.length, unpacked, 0, unpacked.length);
      return length == size ? unpacked : Arrays.copyOf(unpacked, length);
    }

    private byte[] gunzip(byte[] packed, int size) {
      try (InputStream unpacked = new GZIPInputStream(new ByteArrayInputStream(packed))) {
        return unpacked.readNBytes(size);
      } catch (IOException e) {
        throw damaged(e);
      }
    }

    private Encoding encoding(org.apache.parquet.format.Encoding encoding) {
      return Encoding.valueOf(encoding.name());
    }

    private DpoException damaged(@Nullable Exception cause) {
      return ParquetSource.damaged(path, "column " + name, cause);
    }
  }

  /** The file from a position on; each column has its own position. */
  private final class Window extends InputStream {
    private long position;

    Window(long position) {
      this.position = position;
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
      int read = channel.read(ByteBuffer.wrap(target, offset, length), position);
      position += Math.max(0, read);
      return read;
    }

    @Override
    public int read() {
      throw new UncheckedIOException(new IOException("read through a buffer"));
    }
  }
}
