package org.dpo4j.encode;

import java.nio.file.Path;
import java.util.AbstractList;
import java.util.List;
import java.util.Objects;
import java.util.RandomAccess;
import org.dpo4j.DpoException;
import org.jspecify.annotations.Nullable;

/**
 * Encoded pairs on disk: an unmodifiable list that reads a pair on every access. Safe for use by
 * several threads. {@link #close} frees the disk space, which {@link #select selections} share; the
 * garbage collector does so for a list that was not closed.
 */
public final class EncodedPairs extends AbstractList<EncodedPair>
    implements RandomAccess, AutoCloseable {
  private final PairFile file;
  private final int @Nullable [] selected; // null: all of the file

  EncodedPairs(PairFile file) {
    this(file, null);
  }

  private EncodedPairs(PairFile file, int @Nullable [] selected) {
    this.file = file;
    this.selected = selected;
  }

  /**
   * Writes pairs to a file.
   *
   * @param folder the folder of the file, which has no name
   * @throws DpoException if it cannot be written
   */
  public static EncodedPairs of(List<EncodedPair> pairs, Path folder) {
    PairFile file = PairFile.create(folder);
    try {
      pairs.forEach(pair -> file.append(pair, false));
      file.finish();
      return new EncodedPairs(file);
    } catch (RuntimeException | Error e) {
      file.close();
      throw e;
    }
  }

  /**
   * @throws DpoException if the file does not contain what was written
   */
  @Override
  public EncodedPair get(int index) {
    return file.read(place(index));
  }

  @Override
  public int size() {
    return selected == null ? file.size() : selected.length;
  }

  /** Size in bytes of the file, which selections share. */
  public long bytes() {
    return file.bytes();
  }

  private int place(int index) {
    Objects.checkIndex(index, size());
    return selected == null ? index : selected[index];
  }

  /** Whether truncation shortened a pair. */
  boolean isCut(int index) {
    return file.isCut(place(index));
  }

  /** The file that a pair came from, as the user named it; reads nothing from disk. */
  String fileOf(int index) {
    return file.fileOf(place(index));
  }

  /** Whether the pairs have different weights. */
  public boolean weightsDiffer() {
    if (!file.weightsDiffer()) {
      return false; // the usual case: no need to read every pair
    }
    double first = get(0).weight();
    for (int i = 1; i < size(); i++) {
      if (get(i).weight() != first) {
        return true;
      }
    }
    return false;
  }

  /**
   * A selection of the pairs, backed by the same file.
   *
   * @param indices indices into this list, in the order of the selection; must not be modified
   *     afterwards
   */
  EncodedPairs select(int[] indices) {
    int[] places = indices;
    if (selected != null) {
      places = new int[indices.length];
      for (int i = 0; i < indices.length; i++) {
        places[i] = selected[indices[i]];
      }
    }
    return new EncodedPairs(file, places);
  }

  @Override
  public void close() {
    file.close();
  }
}
