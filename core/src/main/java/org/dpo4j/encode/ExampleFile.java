package org.dpo4j.encode;

import java.io.EOFException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.OptionalDouble;
import org.dpo4j.DpoException;
import org.dpo4j.OptionText;
import org.dpo4j.data.CompletionRole;
import org.dpo4j.data.FileFailure;
import org.dpo4j.data.RowNumbers;
import org.dpo4j.data.RowOrigin;
import org.jspecify.annotations.Nullable;

/**
 * Encoded examples in an unlinked file: each takes 8 bytes of heap, whatever its length. One thread
 * writes; afterwards any number of threads may read.
 *
 * <p>A record is a row of ints: line, row, rejected index, both halves of the weight, a tag
 * (whether there is a margin, length of the prompt), both halves of the margin if there is one, the
 * prompt's ids, the completions, and a checksum. A completion is a tag (role, whether some ids are
 * not scored, number of ids), its ids, and in the second case a bit for each id. An index on the
 * heap has the end of each record, the file of each row as ranges, and two bits per example for
 * whether it was cut and whether it is undesirable.
 */
final class ExampleFile implements AutoCloseable {
  private static final int HEADER = 6; // ints
  private static final int MARGIN = 1 << 30;
  private static final int ROLE_SHIFT = 29;
  private static final int MASKED = 1 << 28;
  private static final int BUFFER = 1 << 16; // bytes
  private static final int BLOCK = 1 << 13; // ends in a block of the index

  private final Path path;
  // Not a FileChannel: an interrupt during a read would close it for all threads.
  private final RandomAccessFile disk;
  private final long start;
  // Blocks: an array that grows by copying needs up to three times its size.
  private final List<long[]> ends = new ArrayList<>();
  private final List<String> files = new ArrayList<>();
  private final List<Integer> firstOfFile = new ArrayList<>();
  private final BitSet cut = new BitSet();
  private final BitSet undesirable = new BitSet();
  private byte[] bytes = new byte[BUFFER]; // not written yet
  private ByteBuffer buffer = ints(bytes);
  private long flushed;
  private int checksum;
  private int size;
  private double firstWeight;
  private boolean weightsDiffer;

  private ExampleFile(Path path, RandomAccessFile disk, long start) {
    this.path = path;
    this.disk = disk;
    this.start = start;
    this.flushed = start;
  }

  /**
   * Creates an empty file and unlinks it (on Windows, when it is closed), so that nothing remains
   * however the process ends.
   *
   * @throws DpoException if the folder cannot be written
   */
  static ExampleFile create(Path folder) {
    return create(folder, 0);
  }

  /** As above with a hole of {@code start} bytes before the first record, for tests. */
  static ExampleFile create(Path folder, long start) {
    Path path = folder.resolve(".dpo4j-pairs");
    try {
      removeNamed(folder);
      path = Files.createTempFile(folder, ".dpo4j-pairs-", ".tmp");
      RandomAccessFile disk = new RandomAccessFile(path.toFile(), "rw");
      delete(path);
      return new ExampleFile(path, disk, start);
    } catch (IOException e) {
      throw notWritten(path, e);
    }
  }

  /** Removes files of processes that were killed before they unlinked theirs, or on Windows. */
  private static void removeNamed(Path folder) throws IOException {
    try (DirectoryStream<Path> named = Files.newDirectoryStream(folder, ".dpo4j-pairs-*.tmp")) {
      for (Path path : named) {
        try {
          Files.deleteIfExists(path);
        } catch (FileSystemException e) {
          // Of a live process on Windows, or of another user.
        }
      }
    }
  }

  private static void delete(Path path) throws IOException {
    try {
      Files.deleteIfExists(path);
    } catch (FileSystemException e) {
      path.toFile().deleteOnExit(); // Windows does not delete open files
    }
  }

  /**
   * Adds an example at the end.
   *
   * @param wasCut whether truncation shortened it
   * @throws DpoException if the disk is full
   */
  void append(EncodedExample example, boolean wasCut) {
    RowOrigin origin = example.origin();
    if (files.isEmpty() || !files.get(files.size() - 1).equals(origin.file())) {
      files.add(origin.file());
      firstOfFile.add(size);
    }
    if (size == 0) {
      firstWeight = example.weight();
    }
    weightsDiffer |= example.weight() != firstWeight;
    cut.set(size, wasCut);
    undesirable.set(size, !example.isDesirable());
    OptionalDouble margin = example.numbers().margin();
    checksum = 1;
    put(origin.line(), origin.row(), origin.rejectedIndex());
    putNumber(example.weight());
    put(example.promptIds().length | (margin.isPresent() ? MARGIN : 0));
    margin.ifPresent(this::putNumber);
    put(example.promptIds());
    for (EncodedCompletion completion : example.completions()) {
      int tag = completion.role().code() << ROLE_SHIFT | completion.ids().length;
      BitSet unscored = completion.unscored();
      put(unscored == null ? tag : tag | MASKED);
      put(completion.ids());
      if (unscored != null) {
        put(words(unscored, completion.ids().length));
      }
    }
    put(checksum);
    if (size % BLOCK == 0) {
      ends.add(new long[BLOCK]);
    }
    ends.get(size / BLOCK)[size % BLOCK] = flushed + buffer.position();
    size++;
  }

  /** A bit for each id, the first in the lowest bit. */
  private static int[] words(BitSet set, int bits) {
    int[] words = new int[words(bits)];
    for (int bit = set.nextSetBit(0); bit >= 0; bit = set.nextSetBit(bit + 1)) {
      words[bit / Integer.SIZE] |= 1 << (bit % Integer.SIZE);
    }
    return words;
  }

  private static int words(int bits) {
    return (bits + Integer.SIZE - 1) / Integer.SIZE;
  }

  private static BitSet bits(int[] record, int from, int bits) {
    BitSet set = new BitSet(bits);
    for (int bit = 0; bit < bits; bit++) {
      set.set(bit, (record[from + bit / Integer.SIZE] >>> (bit % Integer.SIZE) & 1) != 0);
    }
    return set;
  }

  private void putNumber(double value) {
    long bits = Double.doubleToRawLongBits(value);
    put((int) (bits >>> 32), (int) bits);
  }

  private static double number(int[] record, int from) {
    return Double.longBitsToDouble(((long) record[from] << 32) | (record[from + 1] & 0xffff_ffffL));
  }

  private void put(int... values) {
    for (int value : values) {
      if (buffer.remaining() < Integer.BYTES) {
        flush();
      }
      buffer.putInt(value);
      checksum = 31 * checksum + value;
    }
  }

  /** Ends writing and makes all examples readable. */
  void finish() {
    flush();
    bytes = new byte[0];
    buffer = ints(bytes);
  }

  private void flush() {
    try {
      disk.seek(flushed);
      disk.write(bytes, 0, buffer.position());
      flushed += buffer.position();
    } catch (IOException e) {
      throw notWritten(path, e);
    }
    buffer.clear();
  }

  int size() {
    return size;
  }

  /** Bytes on the disk, after {@link #finish}. */
  long bytes() {
    return flushed - start;
  }

  /** Whether truncation shortened an example. */
  boolean isCut(int index) {
    return cut.get(index);
  }

  /** As {@link EncodedExample#isDesirable}; reads nothing from disk. */
  boolean isDesirable(int index) {
    return !undesirable.get(index);
  }

  /** The file that an example came from. */
  String fileOf(int index) {
    int low = 0;
    int high = files.size() - 1;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (firstOfFile.get(middle) <= index) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return files.get(low);
  }

  /** Whether two of the examples have different weights. */
  boolean weightsDiffer() {
    return weightsDiffer;
  }

  /**
   * Reads one example.
   *
   * @throws DpoException if the file does not contain what was written
   */
  EncodedExample read(int index) {
    long from = index == 0 ? start : end(index - 1);
    int ints = Math.toIntExact((end(index) - from) / Integer.BYTES);
    int[] record = new int[ints];
    try {
      byte[] read = new byte[Math.min(BUFFER, ints * Integer.BYTES)];
      ByteBuffer part = ints(read);
      for (int done = 0; done < ints; done += part.limit() / Integer.BYTES) {
        // In parts: the JDK allocates native memory as large as the read.
        part.clear().limit(Math.min(part.capacity(), (ints - done) * Integer.BYTES));
        fill(read, part.limit(), from + (long) done * Integer.BYTES);
        part.asIntBuffer().get(record, done, part.limit() / Integer.BYTES);
      }
    } catch (EOFException e) {
      throw notReadable("it ends too early", e);
    } catch (IOException e) {
      throw notReadable(FileFailure.reason(e), e);
    }
    return example(index, record);
  }

  private void fill(byte[] part, int count, long from) throws IOException {
    synchronized (disk) { // threads share one file position
      disk.seek(from);
      disk.readFully(part, 0, count);
    }
  }

  private EncodedExample example(int index, int[] record) {
    int sum = 1;
    for (int i = 0; i < record.length - 1; i++) {
      sum = 31 * sum + record[i];
    }
    if (sum != record[record.length - 1]) {
      throw notReadable("example %d is not what was written".formatted(index), null);
    }
    int promptTag = record[HEADER - 1];
    boolean hasMargin = (promptTag & MARGIN) != 0;
    int begin = HEADER + (hasMargin ? 2 : 0);
    int at = begin + (promptTag & (MARGIN - 1));
    int[] prompt = Arrays.copyOfRange(record, begin, at);
    List<EncodedCompletion> completions = new ArrayList<>(2);
    while (at < record.length - 1) {
      int tag = record[at++];
      int length = tag & (MASKED - 1);
      int[] ids = Arrays.copyOfRange(record, at, at + length);
      at += length;
      BitSet unscored = null;
      if ((tag & MASKED) != 0) {
        unscored = bits(record, at, length);
        at += words(length);
      }
      completions.add(new EncodedCompletion(CompletionRole.of(tag >>> ROLE_SHIFT), ids, unscored));
    }
    return new EncodedExample(
        new RowOrigin(fileOf(index), record[0], record[1], record[2]),
        prompt,
        completions,
        new RowNumbers(
            OptionalDouble.of(number(record, 3)),
            hasMargin ? OptionalDouble.of(number(record, HEADER)) : OptionalDouble.empty()));
  }

  private long end(int index) {
    return ends.get(index / BLOCK)[index % BLOCK];
  }

  @Override
  public void close() {
    try {
      disk.close();
      delete(path);
    } catch (IOException e) {
      throw notReadable(FileFailure.reason(e), e);
    }
  }

  private static ByteBuffer ints(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
  }

  private static DpoException notWritten(Path path, IOException e) {
    return new DpoException(
        OptionText.of(
            "[%s] the encoded examples must be kept in a file while they are used but it could not be"
                + " written: %s; make room there, or choose another folder (for train that of"
                + " {output_dir}, else java.io.tmpdir)",
            path, FileFailure.reason(e)),
        e);
  }

  private DpoException notReadable(String found, @Nullable Throwable cause) {
    String message =
        ("[%s] the encoded examples must be read back as they were written but were not: %s;"
                + " make room in that folder or check its disk, and run again")
            .formatted(path, found);
    return cause == null ? new DpoException(message) : new DpoException(message, cause);
  }
}
