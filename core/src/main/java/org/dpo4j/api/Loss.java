package org.dpo4j.api;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A loss with its settings; make one with {@link Losses}. Immutable: every method returns a changed
 * copy.
 */
public final class Loss {

  private final String type;
  private final double weight;
  private final Map<String, Double> settings;

  private Loss(String type, double weight, Map<String, Double> settings) {
    this.type = type;
    this.weight = weight;
    this.settings = settings;
  }

  static Loss named(String type) {
    return new Loss(type, 1, Map.of());
  }

  /** Its name in the option {@code loss_type}. */
  String type() {
    return type;
  }

  /** Its share of the sum of losses. */
  double weight() {
    return weight;
  }

  /** Values by the names of their options. */
  Map<String, Double> settings() {
    return settings;
  }

  Loss beta(double beta) {
    return with("beta", beta);
  }

  /**
   * Weighs the loss in a sum of losses.
   *
   * @param newWeight positive; 1 by default
   * @return a changed copy
   */
  public Loss weight(double newWeight) {
    return new Loss(type, newWeight, settings);
  }

  /**
   * Sets the assumed share of pairs whose labels are swapped.
   *
   * @param share from 0 to 0.5; 0 by default
   * @return a changed copy
   */
  public Loss labelSmoothing(double share) {
    return with("label_smoothing", share);
  }

  /**
   * Sets the temperature of DiscoPOP's mixture.
   *
   * @param tau positive; 0.05 by default
   * @return a changed copy
   */
  public Loss discopopTau(double tau) {
    return with("discopop_tau", tau);
  }

  /**
   * Sets the penalty of DPO-Positive for a chosen completion that becomes less likely.
   *
   * @param lambda at least 0; 50 by default
   * @return a changed copy
   */
  public Loss dpopLambda(double lambda) {
    return with("dpop_lambda", lambda);
  }

  /**
   * Sets the factor of the pairs' margins in {@link Losses#odpo}.
   *
   * @param alpha at least 0; 1 by default
   * @return a changed copy
   */
  public Loss odpoAlpha(double alpha) {
    return with("odpo_alpha", alpha);
  }

  /**
   * Sets the target reward margin of SimPO.
   *
   * @param gamma at least 0; 0.5 by default
   * @return a changed copy
   */
  public Loss simpoGamma(double gamma) {
    return with("simpo_gamma", gamma);
  }

  /**
   * Sets the weight of CPO's loss on the chosen tokens.
   *
   * @param alpha at least 0; 1 by default
   * @return a changed copy
   */
  public Loss cpoAlpha(double alpha) {
    return with("cpo_alpha", alpha);
  }

  /**
   * Sets the weight of desirable completions in {@link Losses#kto} and {@link
   * Losses#apoZeroUnpaired}.
   *
   * @param weight positive; 1 by default
   * @return a changed copy
   */
  public Loss desirableWeight(double weight) {
    return with("desirable_weight", weight);
  }

  /**
   * Sets the weight of undesirable completions in {@link Losses#kto} and {@link
   * Losses#apoZeroUnpaired}.
   *
   * @param weight positive; 1 by default
   * @return a changed copy
   */
  public Loss undesirableWeight(double weight) {
    return with("undesirable_weight", weight);
  }

  private Loss with(String option, double value) {
    Map<String, Double> changed = new LinkedHashMap<>(settings);
    changed.put(option, value);
    return new Loss(type, weight, changed);
  }
}
