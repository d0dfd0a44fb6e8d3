package org.dpo4j.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.dpo4j.UsageException;
import org.dpo4j.data.FileFailure;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A folder that one run at a time writes into, locked while the run lives. */
public final class LockedFolder implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(LockedFolder.class);

  private final Path path;
  private final List<Path> created;
  private final FolderLock lock;

  private LockedFolder(Path path, List<Path> created, FolderLock lock) {
    this.path = path;
    this.created = created;
    this.lock = lock;
  }

  /**
   * Creates the folder with missing parents, and locks it.
   *
   * @param target may be relative or a link
   * @param inputs files and folders that the run reads: none may lie in {@code target}, and it must
   *     not lie in one of them
   * @throws UsageException if it breaks these rules, is a file, is in use by another run, or cannot
   *     be created
   */
  public static LockedFolder open(Path target, List<Path> inputs) {
    TargetFolder checked = TargetFolder.check(target, inputs);
    List<Path> created = checked.create();
    try {
      return new LockedFolder(checked.path(), created, FolderLock.acquire(checked.path()));
    } catch (IOException e) {
      FileTrees.removeEmpty(created);
      throw TargetFolder.notWritable(checked.path(), e);
    }
  }

  /** Absolute, links resolved. */
  public Path path() {
    return path;
  }

  /** Whether it holds nothing, but for hidden files that a dead run left. */
  public boolean isEmpty() throws IOException {
    try (Stream<Path> entries = Files.list(path)) {
      return entries.allMatch(entry -> String.valueOf(entry.getFileName()).startsWith("."));
    }
  }

  /** Unlocks the folder, and removes it if this run created it and wrote nothing. */
  @Override
  public void close() {
    try {
      lock.close();
    } catch (IOException e) {
      LOG.warn("Cannot remove the lock file in {}: {}", path, FileFailure.reason(e));
    }
    FileTrees.removeEmpty(created);
  }
}
