package org.dpo4j.checkpoint;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Lists, deletes and forces folders to the device, without following links. */
public final class FileTrees {
  private static final int DELETE_ATTEMPTS = 5;

  /** EINVAL: some shared folders of virtual machines can be opened but not forced. */
  private static final String UNSUPPORTED = "Invalid argument";

  private FileTrees() {}

  /** The folder's entries in name order. */
  static List<Path> entries(Path folder) throws IOException {
    try (Stream<Path> list = Files.list(folder)) {
      return list.sorted().toList();
    }
  }

  /** Deletes a folder recursively, even while another thread adds files to it. */
  public static void delete(Path root) throws IOException {
    for (int attempt = 1; Files.exists(root, LinkOption.NOFOLLOW_LINKS); attempt++) {
      try {
        Files.walkFileTree(root, new Deletion());
      } catch (DirectoryNotEmptyException e) {
        if (attempt == DELETE_ATTEMPTS) {
          throw e;
        }
      }
    }
  }

  /** Renames a file or folder: it has the old name or the new one, whenever the process dies. */
  public static void rename(Path from, Path to) throws IOException {
    Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
  }

  /** Removes the empty ones of these folders, in reverse order. */
  static void removeEmpty(List<Path> deepestLast) {
    for (int i = deepestLast.size() - 1; i >= 0; i--) {
      try {
        Files.deleteIfExists(deepestLast.get(i));
      } catch (IOException e) {
        // The folder is in use now: keep it.
        return;
      }
    }
  }

  /** Forces every file and folder below (and the folder itself) to the device. */
  public static void force(Path root) throws IOException {
    Files.walkFileTree(
        root,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            if (attributes.isRegularFile()) {
              try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                channel.force(true);
              }
            }
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException failure)
              throws IOException {
            forceFolder(folder);
            return super.postVisitDirectory(folder, failure);
          }
        });
  }

  /**
   * Forces a folder's list of names to the device, where the system can do that.
   *
   * @param folder null above a root
   * @throws IOException if the device fails
   */
  public static void forceFolder(@Nullable Path folder) throws IOException {
    if (folder == null) {
      return;
    }
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    } catch (AccessDeniedException e) {
      return; // Windows opens no folder, but keeps a rename whole
    } catch (IOException e) {
      if (!UNSUPPORTED.equals(e.getMessage())) {
        throw e;
      }
    }
  }

  /**
   * The absolute path with links resolved as far as its folders exist; the file or folder itself
   * need not exist.
   */
  public static Path real(Path path) {
    Path absolute = path.toAbsolutePath().normalize();
    @Nullable Path there = absolute;
    while (there != null) {
      try {
        return there.toRealPath().resolve(there.relativize(absolute)).normalize();
      } catch (IOException e) {
        there = there.getParent(); // does not exist or is not reachable: try the parent
      }
    }
    return absolute;
  }

  private static final class Deletion extends SimpleFileVisitor<Path> {
    @Override
    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
      Files.deleteIfExists(file);
      return FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException failure)
        throws IOException {
      Files.deleteIfExists(folder);
      return FileVisitResult.CONTINUE;
    }
  }
}
