package org.dpo4j.torch;

/**
 * Seeds of dropout masks. A seed is a function of the run's seed and of the place of a forward pass
 * in the run, not of how many random numbers were drawn before. A run that is continued, or
 * computed in another order, therefore drops the same elements.
 */
public final class DropoutSeed {

  private static final long GOLDEN_RATIO = 0x9E3779B97F4A7C15L;

  private DropoutSeed() {}

  /**
   * The seed of one forward pass.
   *
   * @param runSeed seed of the run
   * @param step optimizer steps done before the pass
   * @param microBatch index of the micro-batch in the step
   * @param piece index of the piece of the micro-batch
   */
  public static long of(long runSeed, int step, int microBatch, int piece) {
    return mix(mix(mix(mix(runSeed) + step) + microBatch) + piece);
  }

  /**
   * The seed of one layer's mask for a block of rows.
   *
   * @param passSeed seed of the forward pass, from {@link #of}
   * @param layer index of the layer
   * @param block index of the block of rows
   */
  public static long ofRows(long passSeed, int layer, int block) {
    return mix(mix(passSeed + layer) + block);
  }

  /** The finalizer of SplitMix64: Steele, Lea and Flood 2014, section 4. A bijection. */
  private static long mix(long value) {
    long z = value + GOLDEN_RATIO;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
