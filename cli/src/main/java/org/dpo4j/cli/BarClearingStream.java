package org.dpo4j.cli;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;

/** Wipes the line that a progress bar may stand on before a new line of text begins. */
final class BarClearingStream extends FilterOutputStream {
  private static final byte[] WIPE = {'\r', 0x1b, '[', 'K'};

  private boolean atLineStart = true;

  BarClearingStream(OutputStream terminal) {
    super(terminal);
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
    if (atLineStart) {
      out.write(WIPE);
    }
    out.write(bytes, offset, length);
    atLineStart = bytes[offset + length - 1] == '\n';
  }
}
