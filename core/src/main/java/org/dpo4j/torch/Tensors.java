package org.dpo4j.torch;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32C;
import org.bytedeco.javacpp.BoolPointer;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.MemoryFormat;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Tensors from Java values and back, with shape and type checked on the Java side. */
public final class Tensors {

  static {
    Engine.start();
  }

  private static final long NORM_PIECE = 1 << 16;
  private static final long NORM_PIECE_OF_GPU = 1 << 26;

  /** Bytes that are viewed as one buffer, at most: a buffer's length is an int. */
  private static final long LARGEST_BUFFER = 1 << 30;

  private Tensors() {}

  /** Shape (values.length), fp32. */
  public static Tensor floats(float... values) {
    return Tensor.create(values, values.length);
  }

  /** Shape (values.length), fp64. */
  public static Tensor doubles(double... values) {
    return Tensor.create(values, values.length);
  }

  /** Shape (values.length), int64. */
  public static Tensor longs(long... values) {
    return Tensor.create(values, values.length);
  }

  /** Shape (values.length), int64. */
  public static Tensor longs(int[] values) {
    return longs(Arrays.stream(values).asLongStream().toArray());
  }

  /** Indices into {@code like} or its rows: int64, on its device, shape (values.length). */
  public static Tensor indices(Tensor like, int[] values) {
    return longs(values).to(like.device(), ScalarType.Long);
  }

  /** Uninitialized memory of the given type and shape. */
  public static Tensor empty(ElementType type, long... shape) {
    return torch.empty(shape, new TensorOptions(type.scalarType()), null);
  }

  /**
   * The type of a tensor's elements.
   *
   * @throws IllegalArgumentException if {@link ElementType} has no such type
   */
  public static ElementType elementType(Tensor tensor) {
    ScalarType type = tensor.scalar_type().intern();
    return Arrays.stream(ElementType.values())
        .filter(element -> element.scalarType() == type)
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("no element type for " + type));
  }

  /** Uninitialized memory of the type and on the device of {@code like}. */
  public static Tensor emptyLike(Tensor like, long... shape) {
    return torch.empty(shape, like.options(), null);
  }

  /** As {@link #emptyLike}, outside all scopes; the caller frees it with {@link #free}. */
  public static Tensor ownedLike(Tensor like, long... shape) {
    try (TensorScope scope = TensorScope.open()) {
      return scope.disown(emptyLike(like, shape));
    }
  }

  public static Tensor zeros(ElementType type, long... shape) {
    return torch.zeros(shape, new TensorOptions(type.scalarType()));
  }

  /** A tensor of zeros, fp32, that stores one number whatever its shape; outside all scopes. */
  public static Tensor placeholder(long... shape) {
    try (TensorScope scope = TensorScope.open()) {
      return scope.disown(zeros(ElementType.F32, 1).expand(shape));
    }
  }

  /** Zeros of the type and on the device of {@code like}. */
  public static Tensor zerosLike(Tensor like, long... shape) {
    return torch.zeros(shape, like.options());
  }

  /** Values in the type and on the device of {@code like}, shape (values.length). */
  public static Tensor like(Tensor like, double... values) {
    return doubles(values).to(like.device(), like.scalar_type().intern());
  }

  /** A number of the tensor's type as the argument of an operation. */
  public static ScalarOptional optionalScalar(double value) {
    return new ScalarOptional(scalar(value));
  }

  public static LongOptional optionalLong(long value) {
    return new LongOptional(value);
  }

  /** A number for libtorch. */
  public static Scalar scalar(double value) {
    return new Scalar(value);
  }

  public static TensorOptional optional(Tensor tensor) {
    return new TensorOptional(tensor);
  }

  public static TensorOptional none() {
    return new TensorOptional();
  }

  /** The argument "same element type as the input". */
  public static ScalarTypeOptional noType() {
    return new ScalarTypeOptional();
  }

  /** The argument "contiguous", in row-major order. */
  public static MemoryFormatOptional contiguous() {
    return new MemoryFormatOptional(MemoryFormat.Contiguous);
  }

  /** Booleans as the argument of an operation. */
  public static BoolPointer flags(boolean... values) {
    BoolPointer flags = new BoolPointer(values.length);
    for (int i = 0; i < values.length; i++) {
      flags.put(i, values[i]);
    }
    return flags;
  }

  /**
   * The 2-norm, summed in 64 bits: squares of millions of elements, summed in 32 bits, lose
   * percents of the sum. Works in pieces to save memory, which are large on a GPU, where reading a
   * result back takes longer than computing it.
   *
   * @param tensor contiguous
   */
  public static double norm(Tensor tensor) {
    Tensor flat = tensor.view(-1);
    long piece = tensor.is_cpu() ? NORM_PIECE : NORM_PIECE_OF_GPU;
    double sum = 0;
    for (long from = 0; from < flat.numel(); from += piece) {
      try (TensorScope scope = TensorScope.open()) {
        Tensor part = flat.narrow(0, from, Math.min(piece, flat.numel() - from));
        double norm = part.to(ScalarType.Double).norm().item_double();
        sum += norm * norm;
      }
    }
    return Math.sqrt(sum);
  }

  /** Whether no element is infinite or NaN. */
  public static boolean finite(Tensor tensor) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      return Double.isFinite(tensor.min().item_double()) // NaN propagates through both
          && Double.isFinite(tensor.max().item_double());
    }
  }

  /** Concatenates along {@code dim}; a single tensor is returned as it is. */
  public static Tensor cat(List<Tensor> tensors, int dim) {
    return tensors.size() == 1
        ? tensors.get(0)
        : torch.cat(new TensorVector(tensors.toArray(Tensor[]::new)), dim);
  }

  /** A view of {@code from} (inclusive) to {@code to} (exclusive) in dimension {@code dim}. */
  public static Tensor rows(Tensor tensor, int dim, long from, long to) {
    return tensor.narrow(dim, from, to - from);
  }

  /** The elements as fp64 in row-major order, from any floating type. */
  public static double[] toDoubles(Tensor tensor) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor dense = tensor.detach().cpu().to(ScalarType.Double).contiguous();
      double[] values = new double[Math.toIntExact(dense.numel())];
      if (values.length > 0) {
        new DoublePointer(dense.data_ptr_double()).get(values);
      }
      return values;
    }
  }

  /** The elements as fp32 in row-major order, from any floating type. */
  public static float[] toFloats(Tensor tensor) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor dense = tensor.detach().cpu().to(ScalarType.Float).contiguous();
      float[] values = new float[Math.toIntExact(dense.numel())];
      if (values.length > 0) {
        new FloatPointer(dense.data_ptr_float()).get(values);
      }
      return values;
    }
  }

  /** The elements of an integer or boolean tensor in row-major order. */
  public static long[] toLongs(Tensor tensor) {
    try (TensorScope scope = TensorScope.open()) {
      Tensor dense = tensor.detach().cpu().to(ScalarType.Long).contiguous();
      long[] values = new long[Math.toIntExact(dense.numel())];
      if (values.length > 0) {
        new LongPointer(dense.data_ptr_long()).get(values);
      }
      return values;
    }
  }

  /**
   * Copies little-endian elements into a part of a tensor, converting to its type.
   *
   * @param target contiguous; its elements from {@code offset} on are overwritten
   * @param type of the elements in {@code source}
   * @param source a direct buffer; all its remaining bytes are read
   */
  public static void fill(Tensor target, long offset, ElementType type, ByteBuffer source) {
    long count = source.remaining() / type.bytes();
    if (!source.isDirect() || source.remaining() % type.bytes() != 0) {
      throw new IllegalArgumentException("source must be a direct buffer of whole elements");
    }
    if (!target.is_contiguous() || offset < 0 || offset + count > target.numel()) {
      throw new IllegalArgumentException(
          count
              + " elements from index "
              + offset
              + " do not fit into a tensor of "
              + target.numel());
    }
    if (count == 0) {
      return;
    }
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      Tensor elements =
          torch.from_blob(
              new BytePointer(source), new long[] {count}, new TensorOptions(type.scalarType()));
      target.view(-1).narrow(0, offset, count).copy_(elements);
    }
  }

  /**
   * Copies elements of a tensor into a buffer, little-endian and converted to {@code type} (round
   * to nearest even).
   *
   * @param buffer direct, with a capacity of at least {@code count} elements. Reuse it: only the
   *     garbage collector frees direct buffers
   * @return the buffer, limited to these elements
   */
  public static ByteBuffer bytes(
      Tensor tensor, long offset, long count, ElementType type, ByteBuffer buffer) {
    ByteBuffer target = buffer.clear().limit(Math.toIntExact(count * type.bytes()));
    if (count == 0) {
      return target;
    }
    try (TensorScope scope = TensorScope.open()) {
      Tensor part = tensor.detach().contiguous().view(-1).narrow(0, offset, count);
      Tensor converted = part.cpu().to(type.scalarType()).contiguous();
      Pointer.memcpy(new BytePointer(target), converted.data_ptr(), count * type.bytes());
      return target;
    }
  }

  /**
   * The CRC-32C of the elements.
   *
   * @param tensor contiguous, on the CPU
   */
  public static long checksum(Tensor tensor) {
    CRC32C crc = new CRC32C();
    BytePointer bytes = new BytePointer(tensor.data_ptr());
    long size = tensor.numel() * tensor.element_size();
    for (long from = 0; from < size; from += LARGEST_BUFFER) {
      long end = Math.min(size, from + LARGEST_BUFFER);
      crc.update(bytes.position(from).limit(end).asByteBuffer());
    }
    return crc.getValue();
  }

  /** A copy outside all scopes; the caller frees it with {@link #free}. */
  public static Tensor copyOf(Tensor tensor) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      return scope.disown(tensor.detach().clone());
    }
  }

  /**
   * Moves a tensor to the device of another one.
   *
   * @param tensor outside all scopes; freed if it is on another device
   * @return outside all scopes
   */
  public static Tensor moved(Tensor tensor, Tensor like) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      if (tensor.device().equals(like.device())) {
        return tensor;
      }
      Tensor moved = scope.disown(tensor.to(like.device(), tensor.scalar_type().intern()));
      free(tensor);
      return moved;
    }
  }

  /** Copies the elements of a tensor of the same shape into another one. */
  public static void overwrite(Tensor target, Tensor source) {
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      target.detach().copy_(source);
    }
  }

  /** Frees a tensor that is outside all scopes. It must not be used afterwards. */
  public static void free(Tensor tensor) {
    tensor.close();
  }

  /** The address of a tensor's first element, which tells whether two tensors share it. */
  public static long address(Tensor tensor) {
    return tensor.data_ptr().address();
  }
}
