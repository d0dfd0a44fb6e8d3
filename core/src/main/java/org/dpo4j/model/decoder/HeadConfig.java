package org.dpo4j.model.decoder;

/**
 * The head.
 *
 * @param name of its matrix; not used if tied
 * @param tied whether the matrix is the embedding table
 * @param bias whether it has a bias, which a tied head has too
 * @param scale factor of the logits
 * @param cap of the logits after the factor, as in {@link org.dpo4j.model.CausalLm#logitCap}; 0 for
 *     none
 */
public record HeadConfig(String name, boolean tied, boolean bias, double scale, double cap) {

  /** The same with the embedding table, or not. */
  public HeadConfig withTied(boolean shared) {
    return new HeadConfig(name, shared, bias, scale, cap);
  }

  /** The same with another name. */
  public HeadConfig withName(String other, boolean biased) {
    return new HeadConfig(other, tied, biased, scale, cap);
  }

  /** The same with logits times a factor. */
  public HeadConfig withScale(double factor) {
    return new HeadConfig(name, tied, bias, factor, cap);
  }

  /** The same with a cap of the logits. */
  public HeadConfig withCap(double limit) {
    return new HeadConfig(name, tied, bias, scale, limit);
  }
}
