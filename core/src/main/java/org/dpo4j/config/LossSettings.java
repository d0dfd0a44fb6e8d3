package org.dpo4j.config;

import java.util.Locale;

/**
 * The numbers in the formulas of losses. Each loss takes those that stand in its own.
 *
 * @param beta strength of the tie to the reference
 * @param labelSmoothing share of pairs taken as labelled the wrong way
 * @param discopopTau temperature of DiscoPOP's mixture
 * @param dpopLambda price of a chosen completion that becomes less likely
 * @param simpoGamma target reward margin
 * @param cpoAlpha weight of CPO's second part
 */
public record LossSettings(
    double beta,
    double labelSmoothing,
    double discopopTau,
    double dpopLambda,
    double simpoGamma,
    double cpoAlpha) {

  /** The others as options have them by default. */
  public static LossSettings of(double beta, double labelSmoothing) {
    return new LossSettings(
        beta,
        labelSmoothing,
        Setting.DISCOPOP_TAU.neutral(),
        Setting.DPOP_LAMBDA.neutral(),
        Setting.SIMPO_GAMMA.neutral(),
        Setting.CPO_ALPHA.neutral());
  }

  /**
   * A number that some losses take and others would ignore; the name in lower case is its option's.
   */
  public enum Setting {
    LABEL_SMOOTHING(0),
    DISCOPOP_TAU(0.05),
    DPOP_LAMBDA(50),
    SIMPO_GAMMA(0.5),
    CPO_ALPHA(1);

    private final double neutral;

    Setting(double neutral) {
      this.neutral = neutral;
    }

    /** The default, which may stand beside a loss that does not take the setting. */
    public double neutral() {
      return neutral;
    }

    /** As it stands in a sentence. */
    public String words() {
      return name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }

    public double of(LossSettings settings) {
      return switch (this) {
        case LABEL_SMOOTHING -> settings.labelSmoothing();
        case DISCOPOP_TAU -> settings.discopopTau();
        case DPOP_LAMBDA -> settings.dpopLambda();
        case SIMPO_GAMMA -> settings.simpoGamma();
        case CPO_ALPHA -> settings.cpoAlpha();
      };
    }
  }
}
