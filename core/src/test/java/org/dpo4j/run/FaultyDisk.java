package org.dpo4j.run;

import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.AccessMode;
import java.nio.file.CopyOption;
import java.nio.file.DirectoryStream;
import java.nio.file.FileStore;
import java.nio.file.FileSystem;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileAttributeView;
import java.nio.file.spi.FileSystemProvider;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The machine's disk, on which the n-th change fails. It counts what a program does to the disk
 * through {@code java.nio.file}, and knows what the program has not forced to the device yet.
 */
final class FaultyDisk extends FileSystemProvider {

  /** The end of the process; nothing catches it. */
  static final class Death extends Error {
    private static final long serialVersionUID = 1L;
  }

  /** A write to the machine's disk. */
  @FunctionalInterface
  interface Write {
    int run() throws IOException;
  }

  private static final FileSystemProvider REAL = FileSystems.getDefault().provider();

  private final FaultyFileSystem fileSystem = new FaultyFileSystem(this);
  private final List<Fault.Change> changes = new ArrayList<>();
  private final List<FileChannel> open = new ArrayList<>();

  /** Bytes that are on the device, of files with more than that, by the identity of the file. */
  private final Map<Object, Long> unforcedFiles = new HashMap<>();

  /** Files and folders whose names are not on the device. */
  private final Set<Path> unforcedNames = new HashSet<>();

  private final Random random;
  private @Nullable Fault fault;
  private final int failing;
  private String failed = "nothing";

  /**
   * A disk that fails.
   *
   * @param fault null for none
   * @param failing the change that fails first, from 0
   */
  FaultyDisk(@Nullable Fault fault, int failing, Random random) {
    this.fault = fault;
    this.failing = failing;
    this.random = random;
  }

  /** A path of this disk. */
  Path path(Path real) {
    return new FaultyPath(this, real);
  }

  FaultyFileSystem fileSystem() {
    return fileSystem;
  }

  /** All changes so far. */
  synchronized List<Fault.Change> changes() {
    return List.copyOf(changes);
  }

  /** The change that failed first, for messages. */
  synchronized String failed() {
    return failed;
  }

  /** Ends all faults. */
  synchronized void heal() {
    fault = null;
  }

  /** What of a folder, the folders that lead to it and all in it is not on the device. */
  synchronized List<Path> unforced(Path folder) throws IOException {
    Path real = FaultyPath.real(folder);
    Stream<Path> above =
        IntStream.range(1, real.getNameCount())
            .mapToObj(count -> Path.of("/").resolve(real.subpath(0, count)));
    try (Stream<Path> all = Files.walk(real)) {
      return Stream.concat(above, all)
          .filter(path -> unforcedNames.contains(path) || unforcedFiles.containsKey(identity(path)))
          .toList();
    }
  }

  /** After {@link Fault#DEATH}: closes all files and cuts off bytes that were not forced. */
  synchronized void loseUnforced(Path folder) throws IOException {
    for (FileChannel channel : open) {
      channel.close();
    }
    try (Stream<Path> all = Files.walk(FaultyPath.real(folder))) {
      for (Path path : all.filter(Files::isRegularFile).toList()) {
        Long forced = unforcedFiles.get(identity(path));
        if (forced != null) {
          try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
            channel.truncate(forced + random.nextInt((int) (channel.size() - forced) + 1));
          }
        }
      }
    }
  }

  /** Counts a change, and fails if it is its turn. */
  synchronized void change(Fault.Change change, Path path) throws IOException {
    Fault now = fault(change, path);
    if (now == Fault.DEATH) {
      throw new Death();
    }
    if (now == Fault.DENIED) {
      throw new AccessDeniedException(path.toString());
    }
    if (now != null) {
      throw new FileSystemException(path.toString(), null, now.reason());
    }
  }

  private @Nullable Fault fault(Fault.Change change, Path path) {
    int number = changes.size();
    changes.add(change);
    Fault set = fault;
    if (set == null || number < failing || (number > failing && !set.lasting())) {
      return null;
    }
    if (number == failing) {
      failed = change + " " + path;
    }
    return set == Fault.DEATH || set.affects(change) ? set : null;
  }

  synchronized int write(Path path, FileChannel real, ByteBuffer source, Write write)
      throws IOException {
    Fault now = fault(Fault.Change.WRITE, path);
    if (now == null) {
      written(path, real.size());
      return write.run();
    }
    boolean first = changes.size() == failing + 1;
    int written = 0;
    if (first && (now == Fault.SHORT || now == Fault.SHORT_THEN_FULL || now == Fault.DEATH)) {
      int limit = source.limit();
      source.limit(source.position() + random.nextInt(source.remaining() + 1));
      written(path, real.size());
      written = write.run();
      source.limit(limit);
    }
    if (now == Fault.DEATH) {
      throw new Death();
    }
    if (!first || (written == 0 && now != Fault.SHORT)) {
      throw new IOException(now.reason());
    }
    return written;
  }

  /** A file has more bytes than are on the device. */
  synchronized void written(Path path, long forced) {
    unforcedFiles.merge(identity(path), forced, Math::min);
  }

  synchronized void forced(Path path) {
    unforcedFiles.remove(identity(path));
    unforcedNames.removeIf(name -> path.equals(name.getParent()));
  }

  private static Object identity(Path path) {
    try {
      Object key = Files.readAttributes(path, BasicFileAttributes.class).fileKey();
      return key == null ? path : key;
    } catch (IOException e) {
      return path; // has no name any more
    }
  }

  private FileChannel open(
      Path given, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
      throws IOException {
    Path path = FaultyPath.real(given);
    boolean writes =
        options.contains(StandardOpenOption.WRITE) || options.contains(StandardOpenOption.APPEND);
    boolean creates = writes && Files.notExists(path);
    if (creates) {
      change(Fault.Change.CREATE, path);
    } else if (writes) {
      change(Fault.Change.OPEN, path);
      if (options.contains(StandardOpenOption.TRUNCATE_EXISTING)) {
        written(path, 0);
      }
    }
    FileChannel channel =
        new FaultyChannel(this, path, REAL.newFileChannel(path, options, attributes));
    synchronized (this) {
      if (creates) {
        unforcedFiles.put(identity(path), 0L);
        unforcedNames.add(path);
      }
      open.removeIf(other -> !other.isOpen());
      open.add(channel);
    }
    return channel;
  }

  @Override
  public FileChannel newFileChannel(
      Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
      throws IOException {
    return open(path, options, attributes);
  }

  @Override
  public SeekableByteChannel newByteChannel(
      Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
      throws IOException {
    return open(path, options, attributes);
  }

  @Override
  public DirectoryStream<Path> newDirectoryStream(
      Path folder, DirectoryStream.Filter<? super Path> filter) throws IOException {
    DirectoryStream<Path> real =
        REAL.newDirectoryStream(
            FaultyPath.real(folder), entry -> filter.accept(new FaultyPath(this, entry)));
    return new DirectoryStream<>() {
      @Override
      public Iterator<Path> iterator() {
        Iterator<Path> entries = real.iterator();
        return new Iterator<>() {
          @Override
          public boolean hasNext() {
            return entries.hasNext();
          }

          @Override
          public Path next() {
            return new FaultyPath(FaultyDisk.this, entries.next());
          }
        };
      }

      @Override
      public void close() throws IOException {
        real.close();
      }
    };
  }

  @Override
  public void createDirectory(Path folder, FileAttribute<?>... attributes) throws IOException {
    Path real = FaultyPath.real(folder);
    change(Fault.Change.FOLDER, real);
    REAL.createDirectory(real, attributes);
    synchronized (this) {
      unforcedNames.add(real);
    }
  }

  @Override
  public void delete(Path path) throws IOException {
    Path real = FaultyPath.real(path);
    change(Fault.Change.DELETE, real);
    REAL.delete(real);
    synchronized (this) {
      unforcedNames.remove(real);
    }
  }

  @Override
  public void move(Path from, Path to, CopyOption... options) throws IOException {
    Path source = FaultyPath.real(from);
    change(Fault.Change.MOVE, source);
    Path target = FaultyPath.real(to);
    REAL.move(source, target, options);
    synchronized (this) {
      List<Path> moved = unforcedNames.stream().filter(name -> name.startsWith(source)).toList();
      moved.forEach(unforcedNames::remove);
      moved.forEach(name -> unforcedNames.add(target.resolve(source.relativize(name))));
      unforcedNames.add(target);
    }
  }

  @Override
  public void copy(Path from, Path to, CopyOption... options) {
    throw new UnsupportedOperationException("would bypass the faults");
  }

  @Override
  public boolean isSameFile(Path path, Path other) throws IOException {
    return REAL.isSameFile(FaultyPath.real(path), FaultyPath.real(other));
  }

  @Override
  public boolean isHidden(Path path) throws IOException {
    return REAL.isHidden(FaultyPath.real(path));
  }

  @Override
  public FileStore getFileStore(Path path) throws IOException {
    return REAL.getFileStore(FaultyPath.real(path));
  }

  @Override
  public void checkAccess(Path path, AccessMode... modes) throws IOException {
    REAL.checkAccess(FaultyPath.real(path), modes);
  }

  @Override
  public <V extends FileAttributeView> @Nullable V getFileAttributeView(
      Path path, Class<V> type, LinkOption... options) {
    return REAL.getFileAttributeView(FaultyPath.real(path), type, options);
  }

  @Override
  public <A extends BasicFileAttributes> A readAttributes(
      Path path, Class<A> type, LinkOption... options) throws IOException {
    return REAL.readAttributes(FaultyPath.real(path), type, options);
  }

  @Override
  public Map<String, Object> readAttributes(Path path, String attributes, LinkOption... options)
      throws IOException {
    return REAL.readAttributes(FaultyPath.real(path), attributes, options);
  }

  @Override
  public void setAttribute(Path path, String attribute, Object value, LinkOption... options) {
    throw new UnsupportedOperationException("would bypass the faults");
  }

  @Override
  public String getScheme() {
    return "faulty";
  }

  @Override
  public FileSystem newFileSystem(URI uri, Map<String, ?> environment) {
    throw new UnsupportedOperationException();
  }

  @Override
  public FileSystem getFileSystem(URI uri) {
    throw new UnsupportedOperationException();
  }

  @Override
  public Path getPath(URI uri) {
    throw new UnsupportedOperationException();
  }
}
