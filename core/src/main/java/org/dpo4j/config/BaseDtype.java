package org.dpo4j.config;

import org.dpo4j.model.WeightStorage;

/** The values of the option {@code base_dtype}: how a frozen model's weights are kept in memory. */
public enum BaseDtype {
  /** Those that the checkpoint has in 16 bits stay in 16 bits; no number changes. */
  AUTO(WeightStorage.AS_STORED),
  FLOAT32(WeightStorage.FP32),
  /** The matrices of the blocks in 8 bits. */
  INT8(WeightStorage.INT8);

  private final WeightStorage storage;

  BaseDtype(WeightStorage storage) {
    this.storage = storage;
  }

  /** How the weights are kept. */
  public WeightStorage storage() {
    return storage;
  }
}
