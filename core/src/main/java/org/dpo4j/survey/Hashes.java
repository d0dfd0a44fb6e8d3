package org.dpo4j.survey;

/** Hashes of 64 bits, equal on every machine. */
final class Hashes {
  private Hashes() {}

  /** The finalizer of SplitMix64 (Steele et al. 2014): every bit depends on every other. */
  static long mix(long bits) {
    long mixed = bits + 0x9E3779B97F4A7C15L;
    mixed = (mixed ^ (mixed >>> 30)) * 0xBF58476D1CE4E5B9L;
    mixed = (mixed ^ (mixed >>> 27)) * 0x94D049BB133111EBL;
    return mixed ^ (mixed >>> 31);
  }

  /** A hash of some bits in their order. */
  static long of(long first, long second) {
    return mix(mix(first) + second);
  }

  static long of(int[] ids) {
    long hash = ids.length;
    for (int id : ids) {
      hash = mix(hash + id);
    }
    return hash;
  }
}
