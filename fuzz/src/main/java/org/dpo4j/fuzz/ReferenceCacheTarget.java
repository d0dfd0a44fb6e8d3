package org.dpo4j.fuzz;

import java.util.List;
import java.util.Optional;
import org.dpo4j.data.RowOrigin;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.reference.DamagedReferenceException;
import org.dpo4j.reference.ReferenceCache;
import org.dpo4j.reference.ReferenceFiles;
import org.dpo4j.reference.ReferenceKey;

/** A file of the reference cache. */
public final class ReferenceCacheTarget {
  private static final Scratch SCRATCH = new Scratch();
  static final ReferenceKey KEY =
      ReferenceKey.of(
          new ReferenceFiles("aa", "bb", Optional.empty()),
          List.of(
              new EncodedExample(
                  new RowOrigin("pairs.jsonl", 1, 1), new int[] {1}, new int[] {2}, new int[] {3})),
          LengthDesensitizing.NONE,
          "float32");
  private static final ReferenceCache CACHE = new ReferenceCache(SCRATCH.folder());

  private ReferenceCacheTarget() {}

  /** Reads one input; whether it was accepted. */
  public static boolean fuzz(byte[] input) throws Exception {
    SCRATCH.write(String.valueOf(CACHE.file(KEY).getFileName()), input);
    try {
      return CACHE.find(KEY).isPresent();
    } catch (DamagedReferenceException refusal) {
      Refusal.check(String.valueOf(refusal.getMessage()));
      return false;
    }
  }

  /** What Jazzer calls. */
  public static void fuzzerTestOneInput(byte[] input) throws Exception {
    fuzz(input);
  }
}
