package org.dpo4j.checkpoint;

import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** How much can still be written to a disk. */
@FunctionalInterface
public interface DiskSpace {

  /** What the system says. */
  DiskSpace OF_MACHINE =
      path -> {
        @Nullable Path there = FileTrees.real(path);
        while (there != null && !Files.exists(there)) {
          there = there.getParent();
        }
        try {
          FileStore store = Files.getFileStore(there == null ? path : there);
          // Some network file systems know no sizes.
          return store.getTotalSpace() > 0
              ? OptionalLong.of(store.getUsableSpace())
              : OptionalLong.empty();
        } catch (IOException e) {
          return OptionalLong.empty();
        }
      };

  /**
   * Bytes that can be written where a path lies; empty where that is not known.
   *
   * @param path need not exist
   */
  OptionalLong usable(Path path);
}
