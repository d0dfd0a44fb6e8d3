package org.dpo4j.report;

import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * A stream of text for people, on a terminal or in a log: prints {@link SafeText}, and what {@link
 * #println(String)} prints is one line.
 */
public final class SafePrintStream extends PrintStream {
  private final PrintStream target;

  private SafePrintStream(PrintStream target) {
    super(new Bytes(target), true, StandardCharsets.UTF_8);
    this.target = target;
  }

  /** A stream that prints on {@code target}, in its character set. */
  public static SafePrintStream on(PrintStream target) {
    return target instanceof SafePrintStream safe ? safe : new SafePrintStream(target);
  }

  @Override
  public void print(@Nullable String text) {
    target.print(SafeText.text(String.valueOf(text)));
  }

  @Override
  public void println(@Nullable String line) {
    target.println(SafeText.line(String.valueOf(line)));
  }

  /** Prints control sequences of this program as they are. */
  public void printControls(String sequences) {
    target.print(sequences);
    target.flush();
  }

  @Override
  public boolean checkError() {
    return target.checkError();
  }

  /** What is printed as bytes: text in UTF-8, of which a character may come in two pieces. */
  private static final class Bytes extends OutputStream {
    private final PrintStream target;
    private final ByteArrayOutputStream waiting = new ByteArrayOutputStream();

    Bytes(PrintStream target) {
      this.target = target;
    }

    @Override
    public void write(int unit) {
      write(new byte[] {(byte) unit}, 0, 1);
    }

    @Override
    public synchronized void write(byte[] bytes, int offset, int length) {
      waiting.write(bytes, offset, length);
      byte[] all = waiting.toByteArray();
      int whole = all.length - unfinished(all);
      waiting.reset();
      waiting.write(all, whole, all.length - whole);
      target.print(SafeText.text(new String(all, 0, whole, StandardCharsets.UTF_8)));
    }

    /** The number of bytes at the end that begin a character and do not end it. */
    private static int unfinished(byte[] bytes) {
      for (int back = 1; back <= Math.min(3, bytes.length); back++) {
        int unit = bytes[bytes.length - back] & 0xff;
        if (unit >= 0xc0) {
          int length = unit >= 0xf0 ? 4 : unit >= 0xe0 ? 3 : 2;
          return back < length ? back : 0;
        }
        if (unit < 0x80) {
          return 0;
        }
      }
      return 0;
    }

    @Override
    public void flush() {
      target.flush();
    }
  }
}
