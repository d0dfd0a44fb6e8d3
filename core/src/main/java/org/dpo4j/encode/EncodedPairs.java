package org.dpo4j.encode;

import java.nio.file.Path;
import java.util.AbstractList;
import java.util.List;
import java.util.Objects;
import java.util.RandomAccess;
import org.dpo4j.DpoException;
import org.jspecify.annotations.Nullable;

/**
 * Encoded pairs that lie on disk: a list that reads a pair whenever it is asked for it, and that
 * cannot be changed. Safe for use by several threads. {@link #close} frees the disk space, also of
 * every {@link #select selection}; forgotten, the garbage collector does.
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
   * Writes some pairs down.
   *
   * @param folder where the file lies, without a name
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
   * @throws DpoException if the disk does not give back what was written
   */
  @Override
  public EncodedPair get(int index) {
    return file.read(place(index));
  }

  @Override
  public int size() {
    return selected == null ? file.size() : selected.length;
  }

  /** Size of the file, which selections share, in bytes. */
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

  /** Whether some pair counts more than another. */
  public boolean weightsDiffer() {
    if (!file.weightsDiffer()) {
      return false; // the usual case, and reading all pairs takes a while
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
   * Some of the pairs, on the same file.
   *
   * @param indices into this list, in the order of the selection; not to be changed afterwards
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
