package org.dpo4j.cli;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;

/**
 * A terminal's stream on which text and a progress bar share the screen: the line of the bar is
 * cleared before a new line of text starts.
 */
final class BarClearingStream extends FilterOutputStream {
  private static final String WIPE = "\r\u001b[K";
  private static final byte[] WIPE_BYTES = {'\r', 0x1b, '[', 'K'};

  private boolean atLineStart = true;

  BarClearingStream(OutputStream terminal) {
    super(terminal);
  }

  /** A bar that replaces the previous one and is cleared by the next text. */
  static String bar(String text) {
    return WIPE + text;
  }

  @Override
  public void write(int letter) throws IOException {
    write(new byte[] {(byte) letter}, 0, 1);
  }

  @Override
  public void write(byte[] bytes, int offset, int length) throws IOException {
    if (length == 0) {
      return;
    }
    if (bytes[offset] == '\r') {
      // A bar: it ends without a line break, and yet the next text is a line of its own.
      out.write(bytes, offset, length);
      return;
    }
    if (atLineStart) {
      out.write(WIPE_BYTES);
    }
    out.write(bytes, offset, length);
    atLineStart = bytes[offset + length - 1] == '\n';
  }
}
