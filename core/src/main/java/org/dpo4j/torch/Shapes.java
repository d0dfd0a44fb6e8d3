package org.dpo4j.torch;

import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;

/** Checks of the shapes and types that public methods require of tensors. */
public final class Shapes {

  private Shapes() {}

  /**
   * Checks that a tensor has a shape.
   *
   * @param name of the tensor in the message
   * @param shape expected sizes; -1 stands for any size
   * @throws IllegalArgumentException if it has another shape
   */
  public static void require(String name, Tensor tensor, long... shape) {
    long[] found = tensor.shape();
    boolean matches = found.length == shape.length;
    for (int i = 0; matches && i < shape.length; i++) {
      matches = shape[i] < 0 || shape[i] == found[i];
    }
    if (!matches) {
      throw new IllegalArgumentException(
          name
              + " must have shape "
              + Arrays.toString(shape).replace("-1", "any")
              + " but has "
              + Arrays.toString(found));
    }
  }

  /** Checks that a tensor has a floating type. */
  public static void requireFloating(String name, Tensor tensor) {
    if (!tensor.is_floating_point()) {
      throw new IllegalArgumentException(
          name + " must be of a floating type but is " + tensor.scalar_type().intern());
    }
  }

  /** Checks that two tensors have the same element type. */
  public static void requireSameType(String name, Tensor tensor, Tensor like) {
    if (tensor.scalar_type().intern() != like.scalar_type().intern()) {
      throw new IllegalArgumentException(
          name
              + " must be of type "
              + like.scalar_type().intern()
              + " but is "
              + tensor.scalar_type().intern());
    }
  }
}
