package org.dpo4j.gguf;

import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * A tensor that is written to a file.
 *
 * @param name in the file
 * @param type of its elements
 * @param shape outermost dimension first; the file lists the innermost first
 * @param piece number of rows that are asked for at a time; a row is what the last dimension counts
 * @param rows gives them
 */
record GgufTensor(String name, GgufType type, List<Long> shape, long piece, Rows rows) {

  /** Gives the values of a tensor. */
  interface Rows {

    /**
     * Some rows, in the caller's scope.
     *
     * @return fp32, with (to - from) x (length of a row) elements in row-major order
     */
    Tensor get(long from, long to);
  }

  GgufTensor {
    shape = List.copyOf(shape);
    if (!type.fits(shape.get(shape.size() - 1))) {
      throw new IllegalArgumentException(
          "%s of shape %s cannot be stored as %s".formatted(name, shape, type));
    }
  }

  long elements() {
    return shape.stream().reduce(1L, Math::multiplyExact);
  }

  long columns() {
    return shape.get(shape.size() - 1);
  }

  long rowCount() {
    return elements() / columns();
  }

  long bytes() {
    return type.bytes(elements());
  }
}
