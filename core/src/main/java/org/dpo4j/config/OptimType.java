package org.dpo4j.config;

/** The values of the option {@code optim}, named as in transformers. */
public enum OptimType {
  /** AdamW. */
  ADAMW_TORCH(2),
  /** AdamW, which is always fused here. */
  ADAMW_TORCH_FUSED(2),
  /** AdamW with both means in bfloat16, together the size of one in fp32. */
  ADAMW_BF16_MOMENTS(1),
  /** Adafactor with the learning rate of the run. */
  ADAFACTOR(0),
  /** Lion. */
  LION_32BIT(1);

  private final int moments;

  OptimType(int moments) {
    this.moments = moments;
  }

  /** Whether it is AdamW as PyTorch computes it. */
  public boolean isAdamW() {
    return this == ADAMW_TORCH || this == ADAMW_TORCH_FUSED;
  }

  /** Numbers in fp32 that the optimizer keeps of a weight; 0 for a small part of one. */
  public int moments() {
    return moments;
  }
}
