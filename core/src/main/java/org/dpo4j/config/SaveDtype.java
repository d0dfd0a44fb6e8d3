package org.dpo4j.config;

import org.dpo4j.torch.ElementType;

/** The values of the option {@code save_dtype}: the element type of the saved weights. */
public enum SaveDtype {
  /** The checkpoint's own type if rounding to it keeps what was learned, else float32. */
  AUTO,
  FLOAT32,
  FLOAT16,
  BFLOAT16;

  /** The element type, given that of the checkpoint. */
  public ElementType elementType(ElementType checkpoint) {
    return switch (this) {
      case AUTO -> checkpoint;
      case FLOAT32 -> ElementType.F32;
      case FLOAT16 -> ElementType.F16;
      case BFLOAT16 -> ElementType.BF16;
    };
  }
}
