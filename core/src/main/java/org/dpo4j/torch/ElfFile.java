package org.dpo4j.torch;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** The header of a shared library, as the specification of ELF has it. */
final class ElfFile {

  private static final int HEADER = 64;
  private static final int MAGIC = 0x464c457f; // 0x7f, E, L, F
  private static final int X86_64 = 62;
  private static final int AARCH64 = 183;

  private ElfFile() {}

  /**
   * Whether a file is a library of 64 bits for this processor with all its bytes: the table of
   * sections is its end. A library that was cut off ends the process when its pages are touched.
   */
  static boolean isWhole(Path file) {
    ByteBuffer header = ByteBuffer.allocate(HEADER).order(ByteOrder.LITTLE_ENDIAN);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      while (header.hasRemaining() && channel.read(header) >= 0) {}
      if (header.hasRemaining()) {
        return false;
      }
      boolean wide = header.getInt(0) == MAGIC && header.get(4) == 2;
      int machine = header.getShort(18) & 0xffff;
      long sections = header.getLong(40);
      long sizes = (header.getShort(58) & 0xffffL) * (header.getShort(60) & 0xffffL);
      return wide
          && machine == (System.getProperty("os.arch").equals("aarch64") ? AARCH64 : X86_64)
          && sections > 0
          && sections + sizes <= channel.size();
    } catch (IOException e) {
      return false;
    }
  }
}
