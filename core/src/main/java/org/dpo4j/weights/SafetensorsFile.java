package org.dpo4j.weights;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.DpoException;
import org.dpo4j.data.FileFailure;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.Shapes;
import org.dpo4j.torch.Tensors;

/**
 * A file of tensors in the safetensors format: 8 bytes with the length of a JSON header
 * (little-endian), the header, then the tensors' elements (little-endian, row-major) without gaps.
 *
 * <p>The header is checked in full when the file is opened. Data is read in chunks while it is
 * copied; the file is not kept open.
 */
public final class SafetensorsFile {

  private static final long PIECE_BYTES = 1L << 22;
  // One direct buffer per thread, not per tensor: only the garbage collector frees direct buffers.
  private static final ThreadLocal<ByteBuffer> BUFFER =
      ThreadLocal.withInitial(() -> ByteBuffer.allocateDirect((int) PIECE_BYTES));
  private static final int DIGEST_BYTES = 1 << 20;

  private final Path path;
  private final SafetensorsHeader header;
  private final long pieceBytes;

  private SafetensorsFile(Path path, SafetensorsHeader header, long pieceBytes) {
    this.path = path;
    this.header = header;
    this.pieceBytes = pieceBytes;
  }

  /**
   * Reads and checks the header.
   *
   * @throws DpoException naming the file and what is wrong with it
   */
  public static SafetensorsFile open(Path path) {
    return open(path, PIECE_BYTES);
  }

  /** As {@link #open(Path)}, with another chunk size, a multiple of 8. */
  static SafetensorsFile open(Path path, long pieceBytes) {
    if (Files.notExists(path)) {
      throw new DpoException("[" + path + "] does not exist");
    }
    if (Files.isDirectory(path)) {
      throw new DpoException("[" + path + "] must be a safetensors file but is a folder");
    }
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      return new SafetensorsFile(path, SafetensorsHeader.read(path, channel), pieceBytes);
    } catch (IOException e) {
      throw unreadable(path, e);
    }
  }

  public Path path() {
    return path;
  }

  /** Names of the tensors, in the order of their bytes in the file. */
  public List<String> names() {
    return new ArrayList<>(header.entries().keySet());
  }

  public boolean has(String name) {
    return header.entries().containsKey(name);
  }

  /** The header's metadata by name. */
  public Map<String, String> metadata() {
    return header.metadata();
  }

  /**
   * The header's entry of a tensor.
   *
   * @throws DpoException if there is no such tensor
   */
  public TensorEntry entry(String name) {
    TensorEntry entry = header.entries().get(name);
    if (entry == null) {
      throw new DpoException("[" + path + "] has no tensor named \"" + name + "\"");
    }
    return entry;
  }

  /** Adds the whole file, including its header, to a digest. */
  void digestInto(MessageDigest digest) {
    byte[] piece = new byte[DIGEST_BYTES];
    try (FileChannel channel = channel()) {
      ByteBuffer bytes = ByteBuffer.wrap(piece);
      while (channel.read(bytes.clear()) > 0) {
        digest.update(piece, 0, bytes.position());
      }
    } catch (IOException e) {
      throw unreadable(path, e);
    }
  }

  /**
   * Copies a tensor's elements, converting to the target's type (round to nearest even).
   *
   * @param target contiguous, with the entry's shape
   * @throws DpoException if there is no such tensor, its element type is not supported, or the file
   *     changed since it was opened
   */
  public void copyTo(String name, Tensor target) {
    TensorEntry entry = entry(name);
    Shapes.require(name, target, entry.shape().stream().mapToLong(Long::longValue).toArray());
    copyPart(name, 0, target);
  }

  /** Fills the target with the tensor's elements from {@code from} on. */
  void copyPart(String name, long from, Tensor target) {
    TensorEntry entry = entry(name);
    ElementType type = readable(entry);
    long position = header.dataStart() + entry.begin() + from * type.bytes();
    // Read, not mapped: mapped pages count as resident until the garbage collector unmaps them.
    long piece = pieceBytes / type.bytes();
    try (FileChannel channel = channel()) {
      long total = target.numel();
      ByteBuffer bytes = BUFFER.get();
      for (long done = 0; done < total; done += piece) {
        int count = (int) (Math.min(piece, total - done) * type.bytes());
        readFully(channel, bytes.clear().limit(count), position + done * type.bytes());
        Tensors.fill(target, done, type, bytes.flip());
      }
    } catch (IOException e) {
      throw unreadable(path, e);
    }
  }

  /** Writes a tensor's bytes as they are. */
  void copyBytes(TensorEntry entry, FileChannel target) throws IOException {
    try (FileChannel channel = channel()) {
      long end = header.dataStart() + entry.end();
      for (long at = header.dataStart() + entry.begin(); at < end; ) {
        at += channel.transferTo(at, Math.min(pieceBytes, end - at), target);
      }
    }
  }

  /** Whether two tensors, of this and another file, have the same type, shape and bytes. */
  boolean sameBytes(String name, SafetensorsFile other, String otherName) {
    TensorEntry a = entry(name);
    TensorEntry b = other.entry(otherName);
    if (!a.dtype().equals(b.dtype()) || !a.shape().equals(b.shape())) {
      return false;
    }
    try (FileChannel channel = channel();
        FileChannel otherChannel = other.channel()) {
      long total = a.bytes();
      for (long done = 0; done < total; done += pieceBytes) {
        long count = Math.min(pieceBytes, total - done);
        ByteBuffer bytes = map(channel, header.dataStart() + a.begin() + done, count);
        if (!bytes.equals(map(otherChannel, other.header.dataStart() + b.begin() + done, count))) {
          return false;
        }
      }
      return true;
    } catch (IOException e) {
      throw unreadable(path, e);
    }
  }

  /** The element type of an entry; throws if it is not supported. */
  private ElementType readable(TensorEntry entry) {
    return entry
        .elementType()
        .orElseThrow(
            () ->
                new DpoException(
                    "["
                        + path
                        + "] tensor \""
                        + entry.name()
                        + "\" must be of type F64, F32, F16, BF16 or I64 to be read but is "
                        + entry.dtype()));
  }

  private FileChannel channel() throws IOException {
    FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
    if (channel.size() != header.fileSize()) {
      channel.close();
      throw new IOException("the file changed since it was opened");
    }
    return channel;
  }

  private static ByteBuffer map(FileChannel channel, long position, long bytes) throws IOException {
    return channel.map(FileChannel.MapMode.READ_ONLY, position, bytes);
  }

  private static void readFully(FileChannel channel, ByteBuffer bytes, long position)
      throws IOException {
    for (long at = position; bytes.hasRemaining(); ) {
      int count = channel.read(bytes, at);
      if (count < 0) {
        throw new IOException("the file became shorter while it was read");
      }
      at += count;
    }
  }

  private static DpoException unreadable(Path path, IOException e) {
    return new DpoException("[" + path + "] could not be read: " + FileFailure.reason(e, path), e);
  }
}
