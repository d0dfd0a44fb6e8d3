package org.dpo4j.survey;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.dpo4j.data.RowOrigin;

/** The places of examples in the order of reading: 4 bytes for each, up to 8 while it grows. */
final class Places {

  /**
   * @param lined whether its rows are known by line, else by number
   * @param first index of its first example
   */
  private record SourceFile(String name, boolean lined, int first) {}

  private final List<SourceFile> files = new ArrayList<>();
  private int[] numbers = new int[1 << 10];
  private int size;

  /** Adds the next example and returns its index. */
  int add(RowOrigin origin) {
    if (files.isEmpty() || !files.get(files.size() - 1).name().equals(origin.file())) {
      files.add(new SourceFile(origin.file(), origin.line() > 0, size));
    }
    if (size == numbers.length) {
      numbers = Arrays.copyOf(numbers, 2 * size);
    }
    numbers[size] = origin.line() > 0 ? origin.line() : origin.row();
    return size++;
  }

  /** The place of an example; of a row that lists several, the row. */
  RowOrigin get(int index) {
    int file = files.size() - 1;
    while (files.get(file).first() > index) {
      file--;
    }
    SourceFile source = files.get(file);
    int number = numbers[index];
    return new RowOrigin(source.name(), source.lined() ? number : 0, number);
  }
}
