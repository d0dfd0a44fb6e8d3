package org.dpo4j.data;

import io.airlift.compress.zstd.ZstdInputStream;
import java.io.BufferedInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.zip.GZIPInputStream;
import org.dpo4j.options.Limit;

/** Compression of a whole file, chosen by the end of its name. */
enum Packing {
  NONE("") {
    @Override
    InputStream unpack(InputStream packed) {
      return packed;
    }
  },
  GZIP(".gz") {
    @Override
    InputStream unpack(InputStream packed) throws IOException {
      Counted counted = new Counted(packed);
      return new Bounded(new Gunzip(counted), counted);
    }
  },
  ZSTD(".zst") {
    @Override
    InputStream unpack(InputStream packed) throws IOException {
      Counted counted = new Counted(packed);
      BufferedInputStream in = new BufferedInputStream(counted, BUFFER);
      in.mark(ZSTD_MAGIC.length);
      if (!Arrays.equals(in.readNBytes(ZSTD_MAGIC.length), ZSTD_MAGIC)) {
        throw new IOException("it is not packed by zstd");
      }
      in.reset();
      return new Bounded(new Unzstd(in), counted);
    }
  };

  private static final int BUFFER = 1 << 16;
  private static final byte[] ZSTD_MAGIC = {0x28, (byte) 0xb5, 0x2f, (byte) 0xfd};

  private final String suffix;

  Packing(String suffix) {
    this.suffix = suffix;
  }

  String suffix() {
    return suffix;
  }

  /** The decompressed stream; reading damaged data throws an IOException. */
  abstract InputStream unpack(InputStream packed) throws IOException;

  /** Counts the packed bytes. */
  private static final class Counted extends FilterInputStream {
    private long bytes;

    Counted(InputStream packed) {
      super(packed);
    }

    @Override
    public int read() throws IOException {
      int b = super.read();
      bytes += b < 0 ? 0 : 1;
      return b;
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
      int read = super.read(target, offset, length);
      bytes += Math.max(0, read);
      return read;
    }
  }

  /** Refuses a bomb: a small file that would unpack for hours. */
  private static final class Bounded extends FilterInputStream {
    /** Short files may repeat themselves. */
    private static final long FREE = 64L << 20;

    private final Counted packed;
    private long unpacked;

    Bounded(InputStream unpacked, Counted packed) {
      super(unpacked);
      this.packed = packed;
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
      int read = super.read(target, offset, length);
      unpacked += Math.max(0, read);
      if (unpacked > FREE && unpacked / Limit.EXPANSION.value() > packed.bytes) {
        throw new IOException(Limit.EXPANSION.rule("what it unpacks to"));
      }
      return read;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }
  }

  /**
   * The JDK treats anything after a gzip member as the end of the file, even a damaged second
   * member.
   */
  private static final class Gunzip extends GZIPInputStream {
    private static final int TRAILER = 8;

    Gunzip(InputStream packed) throws IOException {
      super(packed, BUFFER);
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
      int read = super.read(target, offset, length);
      if (read < 0) {
        for (int i = Math.max(0, len - inf.getRemaining() + TRAILER); i < len; i++) {
          requireZero(buf[i]);
        }
        for (int b = in.read(); b > -1; b = in.read()) {
          requireZero(b);
        }
      }
      return read;
    }

    /** Tapes and some tools pad with zeros. */
    private static void requireZero(int b) throws IOException {
      if (b != 0) {
        throw new IOException("something that is not packed by gzip follows the packed data");
      }
    }
  }

  /** The library reports damage by its own unchecked exceptions. */
  private static final class Unzstd extends FilterInputStream {
    Unzstd(InputStream packed) {
      super(new ZstdInputStream(packed));
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
      try {
        return super.read(target, offset, length);
      } catch (RuntimeException e) {
        String reason = String.valueOf(e.getMessage());
        throw new IOException(
            reason.startsWith("Window size")
                ? "its zstd window is larger than 8 MiB, which is not supported; unpack it with"
                    + " zstd -d"
                : "its zstd data is damaged",
            e);
      }
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }
  }
}
