package org.dpo4j.config;

/** The values of the option {@code optim}, named as in transformers. */
public enum OptimType {
  /** AdamW. */
  ADAMW_TORCH(2, 2),
  /** AdamW, which is always fused here. */
  ADAMW_TORCH_FUSED(2, 2),
  /** AdamW with both moments in bfloat16, together the size of one in fp32. */
  ADAMW_BF16_MOMENTS(2, 1),
  /** Adafactor with the learning rate of the run. */
  ADAFACTOR(0, 0),
  /** Lion. */
  LION_32BIT(1, 1);

  private final int moments;
  private final int momentsInMemory;

  OptimType(int moments, int momentsInMemory) {
    this.moments = moments;
    this.momentsInMemory = momentsInMemory;
  }

  /** Whether it is AdamW as PyTorch computes it. */
  public boolean isAdamW() {
    return this == ADAMW_TORCH || this == ADAMW_TORCH_FUSED;
  }

  /** Numbers that a checkpoint has of a weight, all in fp32; 0 for a small part of one. */
  public int moments() {
    return moments;
  }

  /** The size of these numbers in memory, in numbers of fp32. */
  public int momentsInMemory() {
    return momentsInMemory;
  }
}
