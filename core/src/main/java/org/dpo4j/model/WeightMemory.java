package org.dpo4j.model;

import org.dpo4j.torch.ComputeDevice;

/**
 * How the weights of a model are kept in memory.
 *
 * @param storage number types of the weights
 * @param device holds the weights and computes with them
 */
public record WeightMemory(WeightStorage storage, ComputeDevice device) {

  /** In fp32 for the processor. */
  public static final WeightMemory PLAIN = new WeightMemory(WeightStorage.FP32, ComputeDevice.CPU);
}
