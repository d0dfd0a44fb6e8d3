package org.dpo4j.weights;

import java.util.List;
import java.util.Optional;
import org.dpo4j.torch.ElementType;

/**
 * The header's entry of one tensor in a safetensors file.
 *
 * @param name unique in its file
 * @param dtype the format's name of the element type, as in {@code BF16}
 * @param shape sizes, outermost first; empty for a scalar
 * @param begin first byte, counted from the end of the header
 * @param end byte after the last
 */
public record TensorEntry(String name, String dtype, List<Long> shape, long begin, long end) {

  public TensorEntry {
    shape = List.copyOf(shape);
  }

  /** The number of elements. */
  public long elements() {
    return shape.stream().reduce(1L, Math::multiplyExact);
  }

  /** The size in the file. */
  long bytes() {
    return end - begin;
  }

  /** The element type; empty if it is not supported. */
  public Optional<ElementType> elementType() {
    for (ElementType type : ElementType.values()) {
      if (type.name().equals(dtype)) {
        return Optional.of(type);
      }
    }
    return Optional.empty();
  }

  /** Whether weights may be of this type. */
  boolean floating() {
    return elementType().isPresent() && elementType().get() != ElementType.I64;
  }
}
