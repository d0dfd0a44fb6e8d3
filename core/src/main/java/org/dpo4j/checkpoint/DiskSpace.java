package org.dpo4j.checkpoint;

import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** Free space on a disk. */
@FunctionalInterface
public interface DiskSpace {

  /** The system's value. */
  DiskSpace OF_MACHINE =
      path -> {
        @Nullable Path there = FileTrees.real(path);
        while (there != null && !Files.exists(there)) {
          there = there.getParent();
        }
        try {
          FileStore store = Files.getFileStore(there == null ? path : there);
          // Some network file systems do not report sizes.
          return store.getTotalSpace() > 0
              ? OptionalLong.of(store.getUsableSpace())
              : OptionalLong.empty();
        } catch (IOException e) {
          return OptionalLong.empty();
        }
      };

  /**
   * Bytes that can be written at a path; empty if unknown.
   *
   * @param path need not exist
   */
  OptionalLong usable(Path path);
}
