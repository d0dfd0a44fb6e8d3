package org.dpo4j.gguf;

import java.nio.ByteBuffer;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.Tensors;
import org.jspecify.annotations.Nullable;

/** The element types that are written. */
enum GgufType {
  F32(0, 1, 4, 0, ElementType.F32),
  F16(1, 1, 2, 1, ElementType.F16),
  /** Blocks of 32 elements: the largest magnitude / 127 in fp16, then the multiples as int8. */
  Q8_0(8, 32, 34, 7, null),
  BF16(30, 1, 2, 32, ElementType.BF16);

  private static final float LARGEST = 127;

  private final int number;
  private final int blockElements;
  private final int blockBytes;
  private final int fileType;
  private final @Nullable ElementType plain;

  GgufType(
      int number, int blockElements, int blockBytes, int fileType, @Nullable ElementType plain) {
    this.number = number;
    this.blockElements = blockElements;
    this.blockBytes = blockBytes;
    this.fileType = fileType;
    this.plain = plain;
  }

  /** The type's number in the header's entry of a tensor. */
  int number() {
    return number;
  }

  /** The number for {@code general.file_type} of a file whose matrices have this type. */
  int fileType() {
    return fileType;
  }

  /** The type with a number; null for one that is not written here. */
  static @Nullable GgufType of(int number) {
    for (GgufType type : values()) {
      if (type.number == number) {
        return type;
      }
    }
    return null;
  }

  /** Whether rows of this length can be stored: blocks do not cross rows. */
  boolean fits(long columns) {
    return columns % blockElements == 0;
  }

  /** The size of whole rows. */
  long bytes(long elements) {
    return Math.multiplyExact(elements / blockElements, blockBytes);
  }

  /**
   * Converts elements, rounding to nearest.
   *
   * @param values fp32; whole rows
   * @param buffer direct, with a capacity of 4 bytes an element
   * @return the buffer, limited to the converted elements
   */
  ByteBuffer convert(Tensor values, ByteBuffer buffer) {
    return plain == null
        ? quantized(values, buffer)
        : Tensors.bytes(values, 0, values.numel(), plain, buffer);
  }

  private ByteBuffer quantized(Tensor values, ByteBuffer buffer) {
    Tensor blocks = values.contiguous().view(-1, blockElements);
    Tensor scales = blocks.abs().amax(new long[] {1}, true).div(Tensors.scalar(LARGEST));
    float[] elements = Tensors.toFloats(blocks);
    float[] steps = Tensors.toFloats(scales);
    ByteBuffer halves = ByteBuffer.allocateDirect(steps.length * ElementType.F16.bytes());
    Tensors.bytes(scales, 0, steps.length, ElementType.F16, halves);
    buffer.clear();
    for (int block = 0; block < steps.length; block++) {
      buffer.put(halves.get()).put(halves.get());
      float inverse = steps[block] == 0 ? 0 : 1 / steps[block];
      for (int i = 0; i < blockElements; i++) {
        float multiple = elements[block * blockElements + i] * inverse;
        // Ties away from zero. In fp32 the sum would round up what is just below a tie.
        buffer.put((byte) (multiple + Math.copySign(0.5, multiple)));
      }
    }
    return buffer.flip();
  }

  /**
   * The values of converted elements, fp32, shape (elements), in the caller's scope.
   *
   * @param bytes direct; what {@link #convert} returned
   */
  Tensor values(ByteBuffer bytes) {
    if (plain != null) {
      Tensor values = Tensors.empty(ElementType.F32, bytes.remaining() / plain.bytes());
      Tensors.fill(values, 0, plain, bytes);
      return values;
    }
    int count = bytes.remaining() / blockBytes;
    ByteBuffer halves = ByteBuffer.allocateDirect(count * ElementType.F16.bytes());
    float[] multiples = new float[count * blockElements];
    for (int block = 0; block < count; block++) {
      halves.put(bytes.get()).put(bytes.get());
      for (int i = 0; i < blockElements; i++) {
        multiples[block * blockElements + i] = bytes.get();
      }
    }
    Tensor scales = Tensors.empty(ElementType.F32, count, 1);
    Tensors.fill(scales, 0, ElementType.F16, halves.flip());
    return Tensors.floats(multiples).view(count, blockElements).mul(scales).view(-1);
  }
}
