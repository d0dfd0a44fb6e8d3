package org.dpo4j.data;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import org.dpo4j.DpoException;
import org.jspecify.annotations.Nullable;

/**
 * The folder to which a library unpacks its native code, and from which this process loads it. The
 * libraries take a folder of a fixed name below the one for temporary files where the home folder
 * takes no files. Another user of the machine may have made it first, and so choose the code.
 */
public final class NativeFolder {
  /** Unpacking takes less than a second. */
  private static final Duration OLD = Duration.ofMinutes(1);

  private static final boolean UNIX =
      FileSystems.getDefault().supportedFileAttributeViews().contains("unix");
  private static final FileAttribute<?>[] PRIVATE =
      UNIX
          ? new FileAttribute<?>[] {
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"))
          }
          : new FileAttribute<?>[0];

  private static final int STICKY = 01000;
  private static final int GROUP_WRITES = 0020;
  private static final int OTHERS_WRITE = 0002;

  private NativeFolder() {}

  /** A folder in the user's home, or the one that stands in for it. */
  public static Path inHome(String name) {
    return of(Path.of(System.getProperty("user.home", "")).resolve(name));
  }

  /**
   * A folder that this user alone can write to: the usual one, or one below the folder for
   * temporary files where that is impossible. Makes it.
   *
   * @param usual where the library unpacks if it can
   * @throws DpoException if neither is such a folder
   */
  public static Path of(Path usual) {
    String fault = fault(usual);
    if (fault == null) {
      return usual;
    }
    Path temporary = Path.of(System.getProperty("java.io.tmpdir", ""));
    Path other = temporary.resolve("dpo4j-" + user(temporary));
    String otherFault = fault(other);
    if (otherFault == null) {
      // What is inside it nobody else could make.
      Path inside = other.resolve(usual.getFileName());
      otherFault = fault(inside);
      if (otherFault == null) {
        return inside;
      }
    }
    throw new DpoException(
        ("native libraries must be unpacked into a folder to which you alone can write, but [%s] %s,"
                + " and [%s] %s; set HOME, or in a Java program the property user.home, to a folder"
                + " of yours that takes files and lets programs run")
            .formatted(usual, fault, other, otherFault));
  }

  /** Why a folder cannot be used; null if it can. */
  private static @Nullable String fault(Path folder) {
    if (!folder.isAbsolute()) {
      return "is not an absolute path"; // the JVM's home of a user without a name is "?"
    }
    try {
      Files.createDirectories(folder, PRIVATE);
      Path probe = Files.createTempFile(folder, ".dpo4j", "", PRIVATE);
      try {
        return UNIX ? fault(folder, Files.getAttribute(probe, "unix:uid")) : null;
      } finally {
        Files.deleteIfExists(probe);
      }
    } catch (IOException e) {
      return "cannot be written to";
    }
  }

  private static @Nullable String fault(Path folder, Object user) throws IOException {
    // A link in the home folder may lead to another disk; whoever owns the link can change it.
    for (Path path : new Path[] {folder, folder.toRealPath()}) {
      if (!user.equals(Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS))) {
        return "belongs to %s".formatted(Files.getOwner(path, LinkOption.NOFOLLOW_LINKS).getName());
      }
      if (!Files.isSymbolicLink(path) && isShared(path)) {
        return "can be written to by others";
      }
      for (Path above = path.getParent(); above != null; above = above.getParent()) {
        if (isShared(above) && (mode(above) & STICKY) == 0) {
          return "lies in [%s], which can be written to by others".formatted(above);
        }
      }
    }
    return null;
  }

  /** Whether another user can change what is in a folder. */
  private static boolean isShared(Path folder) throws IOException {
    int mode = mode(folder);
    if ((mode & GROUP_WRITES) != 0) {
      // Many systems give each user a group of its own, and its members the right to write.
      Object group = Files.getAttribute(folder, "posix:group");
      Object owner = Files.getAttribute(folder, "posix:owner");
      boolean own = group.toString().equals(owner.toString());
      if (!own && !Integer.valueOf(0).equals(Files.getAttribute(folder, "unix:gid"))) {
        return true;
      }
    }
    return (mode & OTHERS_WRITE) != 0;
  }

  private static int mode(Path folder) throws IOException {
    return (int) Files.getAttribute(folder, "unix:mode");
  }

  /** The name of the user, or the number of one without a name, who has "?" in the JVM. */
  private static String user(Path temporary) {
    try {
      Path probe = Files.createTempFile(temporary, ".dpo4j", "", PRIVATE);
      try {
        String name = Files.getOwner(probe).getName();
        return name.substring(name.lastIndexOf('\\') + 1); // Windows: DOMAIN\\name
      } finally {
        Files.deleteIfExists(probe);
      }
    } catch (IOException e) {
      return System.getProperty("user.name", "");
    }
  }

  /**
   * Removes what a process left that was killed while it unpacked a library: files, and folders of
   * files, without a lock and without a process id, so that only their age tells that nobody writes
   * them.
   *
   * @param folder need not exist; other programs may use it too
   * @param glob the names of what is only there while it is unpacked
   */
  public static void removeLeftovers(Path folder, String glob) {
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, glob)) {
      for (Path entry : entries) {
        if (Files.getLastModifiedTime(entry).toInstant().isBefore(Instant.now().minus(OLD))) {
          removeEntry(entry);
        }
      }
    } catch (IOException e) {
      return; // not there, or of another user
    }
  }

  private static void removeEntry(Path entry) throws IOException {
    if (Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS)) {
      try (DirectoryStream<Path> files = Files.newDirectoryStream(entry)) {
        for (Path file : files) {
          Files.deleteIfExists(file);
        }
      }
    }
    Files.deleteIfExists(entry);
  }
}
