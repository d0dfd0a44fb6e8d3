package org.dpo4j.gguf;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.Interruption;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;

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

  /** What is done with a part of a tensor. */
  interface Piece {

    /**
     * Takes some rows.
     *
     * @param values fp32, in a scope of the call
     * @param bytes the same in the tensor's type; overwritten by the next part
     */
    void take(long from, long to, Tensor values, ByteBuffer bytes) throws IOException;
  }

  /** One direct buffer for all tensors: only the garbage collector frees direct buffers. */
  static final class Buffer {
    private ByteBuffer bytes = ByteBuffer.allocateDirect(0);

    private ByteBuffer of(long elements) {
      if (bytes.capacity() < elements * Float.BYTES) {
        bytes = ByteBuffer.allocateDirect(Math.toIntExact(elements * Float.BYTES));
      }
      return bytes;
    }
  }

  /**
   * Goes through the rows part by part.
   *
   * @param doing what is done meanwhile, as in {@code written}, for the message of an interruption
   */
  void forEachPiece(Buffer buffer, String doing, Piece piece) throws IOException {
    for (long from = 0; from < rowCount(); from += this.piece) {
      Interruption.check("while %s was %s".formatted(name, doing));
      long to = Math.min(rowCount(), from + this.piece);
      try (TensorScope scope = TensorScope.open();
          NoGrad noGrad = NoGrad.open()) {
        Tensor values = rows.get(from, to);
        piece.take(from, to, values, type.convert(values, buffer.of(values.numel())));
      }
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
