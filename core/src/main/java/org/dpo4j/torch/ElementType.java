package org.dpo4j.torch;

import org.bytedeco.pytorch.global.torch.ScalarType;

/** The element types of weights, with the names of the safetensors format. */
public enum ElementType {
  F64(ScalarType.Double, 8, "float64"),
  F32(ScalarType.Float, 4, "float32"),
  F16(ScalarType.Half, 2, "float16"),
  BF16(ScalarType.BFloat16, 2, "bfloat16"),
  I64(ScalarType.Long, 8, "int64");

  private final ScalarType scalarType;
  private final int bytes;
  private final String torchName;

  ElementType(ScalarType scalarType, int bytes, String torchName) {
    this.scalarType = scalarType;
    this.bytes = bytes;
    this.torchName = torchName;
  }

  public ScalarType scalarType() {
    return scalarType;
  }

  /** Bytes of an element. */
  public int bytes() {
    return bytes;
  }

  /** The name in {@code config.json}'s {@code dtype}, as in {@code bfloat16}. */
  public String torchName() {
    return torchName;
  }
}
