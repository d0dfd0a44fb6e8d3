package org.dpo4j.encode;

import java.nio.file.Path;
import java.util.AbstractList;
import java.util.List;
import java.util.Objects;
import java.util.RandomAccess;
import java.util.stream.IntStream;
import org.dpo4j.DpoException;
import org.dpo4j.data.CompletionRole;
import org.jspecify.annotations.Nullable;

/**
 * Encoded examples on disk: an unmodifiable list that reads an example on every access. Safe for
 * use by several threads. {@link #close} frees the disk space, which {@link #select selections}
 * share; the garbage collector does so for a list that was not closed.
 */
public final class EncodedExamples extends AbstractList<EncodedExample>
    implements RandomAccess, AutoCloseable {
  private final ExampleFile file;
  private final int @Nullable [] selected; // null: all of the file
  private final @Nullable Mismatch mismatch;

  /**
   * How mismatched completions are added.
   *
   * @param block neighbors that exchange their completions
   * @param maxLength longest prompt with a completion; 0 for no limit
   */
  private record Mismatch(int block, int maxLength) {

    /** The example before one in its block; for the first one the block's last. */
    int donor(int index, int size) {
      int start = index - index % block;
      return index > start ? index - 1 : Math.min(start + block, size) - 1;
    }

    EncodedExample cut(EncodedExample example) {
      return maxLength == 0 ? example : example.cut(maxLength);
    }
  }

  EncodedExamples(ExampleFile file) {
    this(file, null, null);
  }

  private EncodedExamples(
      ExampleFile file, int @Nullable [] selected, @Nullable Mismatch mismatch) {
    this.file = file;
    this.selected = selected;
    this.mismatch = mismatch;
  }

  /**
   * Writes examples to a file.
   *
   * @param folder the folder of the file, which has no name
   * @throws DpoException if it cannot be written
   */
  public static EncodedExamples of(List<EncodedExample> examples, Path folder) {
    ExampleFile file = ExampleFile.create(folder);
    try {
      examples.forEach(example -> file.append(example, false));
      file.finish();
      return new EncodedExamples(file);
    } catch (RuntimeException | Error e) {
      file.close();
      throw e;
    }
  }

  /**
   * @throws DpoException if the file does not contain what was written
   */
  @Override
  public EncodedExample get(int index) {
    EncodedExample example = file.read(place(index));
    if (mismatch == null) {
      return example;
    }
    EncodedCompletion other = file.read(place(mismatch.donor(index, size()))).completions().get(0);
    return mismatch.cut(example.with(other.as(CompletionRole.MISMATCHED)));
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

  /** How many examples begin with a chosen or desirable completion; reads nothing from disk. */
  public int desirable() {
    return (int) IntStream.range(0, size()).filter(i -> file.isDesirable(place(i))).count();
  }

  /** Whether truncation shortened an example. */
  boolean isCut(int index) {
    return file.isCut(place(index));
  }

  /** The file that an example came from, as the user named it; reads nothing from disk. */
  String fileOf(int index) {
    return file.fileOf(place(index));
  }

  /** Whether the examples have different weights. */
  public boolean weightsDiffer() {
    if (!file.weightsDiffer()) {
      return false; // the usual case: no need to read every example
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
   * A selection of the examples, backed by the same file.
   *
   * @param indices indices into this list, in the order of the selection; must not be modified
   *     afterwards
   */
  EncodedExamples select(int[] indices) {
    int[] places = indices;
    if (selected != null) {
      places = new int[indices.length];
      for (int i = 0; i < indices.length; i++) {
        places[i] = selected[indices[i]];
      }
    }
    return new EncodedExamples(file, places, mismatch);
  }

  /**
   * The examples with a mismatched completion each, for KTO's KL estimate: that of the example
   * before it in its block, and for a block's first example that of its last, as TRL rotates them.
   * An incomplete last block rotates within itself.
   *
   * @param block size of a micro-batch, at least 2
   * @param maxLength to which prompt and completion are cut; 0 for no cut. The examples must have
   *     been encoded by {@link ExampleEncoder#keepingWhole}
   */
  public EncodedExamples mismatched(int block, int maxLength) {
    return new EncodedExamples(file, selected, new Mismatch(block, maxLength));
  }

  @Override
  public void close() {
    file.close();
  }
}
