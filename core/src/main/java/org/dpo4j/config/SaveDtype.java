package org.dpo4j.config;

import org.dpo4j.torch.ElementType;

/** The names of {@code --save_dtype}: the number format of the weights that are written. */
public enum SaveDtype {
  /** The checkpoint's own where rounding to it keeps what was learned, else float32. */
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
