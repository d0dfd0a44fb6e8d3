package org.dpo4j.config;

import java.util.Locale;

/**
 * The parameters of losses. Each loss uses those in its formula.
 *
 * @param beta strength of the regularization towards the reference
 * @param labelSmoothing assumed share of pairs with swapped labels
 * @param discopopTau temperature of DiscoPOP's mixture
 * @param dpopLambda penalty for a chosen completion that becomes less likely
 * @param odpoAlpha factor of the pairs' margins
 * @param simpoGamma target reward margin
 * @param cpoAlpha weight of CPO's likelihood term
 * @param desirableWeight weight of desirable completions
 * @param undesirableWeight weight of undesirable completions
 */
public record LossSettings(
    double beta,
    double labelSmoothing,
    double discopopTau,
    double dpopLambda,
    double odpoAlpha,
    double simpoGamma,
    double cpoAlpha,
    double desirableWeight,
    double undesirableWeight) {

  /** The given settings, with the defaults for the others. */
  public static LossSettings of(double beta, double labelSmoothing) {
    return new LossSettings(
        beta,
        labelSmoothing,
        Setting.DISCOPOP_TAU.neutral(),
        Setting.DPOP_LAMBDA.neutral(),
        Setting.ODPO_ALPHA.neutral(),
        Setting.SIMPO_GAMMA.neutral(),
        Setting.CPO_ALPHA.neutral(),
        Setting.DESIRABLE_WEIGHT.neutral(),
        Setting.UNDESIRABLE_WEIGHT.neutral());
  }

  /** A parameter of some losses; its name in lower case is the option's. */
  public enum Setting {
    LABEL_SMOOTHING(0),
    DISCOPOP_TAU(0.05),
    DPOP_LAMBDA(50),
    ODPO_ALPHA(1),
    SIMPO_GAMMA(0.5),
    CPO_ALPHA(1),
    DESIRABLE_WEIGHT(1),
    UNDESIRABLE_WEIGHT(1);

    private final double neutral;

    Setting(double neutral) {
      this.neutral = neutral;
    }

    /** The default, which may be given with any loss. */
    public double neutral() {
      return neutral;
    }

    /** The setting in words, for messages. */
    public String words() {
      return name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }

    public double of(LossSettings settings) {
      return switch (this) {
        case LABEL_SMOOTHING -> settings.labelSmoothing();
        case DISCOPOP_TAU -> settings.discopopTau();
        case DPOP_LAMBDA -> settings.dpopLambda();
        case ODPO_ALPHA -> settings.odpoAlpha();
        case SIMPO_GAMMA -> settings.simpoGamma();
        case CPO_ALPHA -> settings.cpoAlpha();
        case DESIRABLE_WEIGHT -> settings.desirableWeight();
        case UNDESIRABLE_WEIGHT -> settings.undesirableWeight();
      };
    }
  }
}
