package org.dpo4j.api;

/**
 * The losses by name. {@code docs/reference/losses.md} has their formulas and says which settings
 * each one takes; a setting that a loss does not take is refused when the run starts.
 *
 * <pre>{@code
 * tuning.loss(Losses.sigmoid(0.1).labelSmoothing(0.1))
 * tuning.loss(Losses.sigmoid(0.1).weight(0.8), Losses.sft().weight(0.2))
 * }</pre>
 */
public final class Losses {

  private Losses() {}

  /**
   * The DPO loss: {@code -log sigmoid(beta * d)} with the difference d of the log-ratios. Rafailov
   * et al. 2023, arXiv 2305.18290, Eq. 7. {@linkplain Loss#labelSmoothing Label smoothing} makes it
   * conservative DPO.
   *
   * @param beta strength of the tie to the reference, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss sigmoid(double beta) {
    return Loss.named("sigmoid").beta(beta);
  }

  /**
   * The hinge loss of SLiC: {@code max(0, 1 - beta * d)}. arXiv 2305.10425.
   *
   * @param beta strength of the tie to the reference, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss hinge(double beta) {
    return Loss.named("hinge").beta(beta);
  }

  /**
   * The IPO loss on log-ratios averaged over tokens. Azar et al. 2023, arXiv 2310.12036, Eq. 17.
   *
   * @param beta strength of the tie to the reference, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss ipo(double beta) {
    return Loss.named("ipo").beta(beta);
  }

  /**
   * The pairwise EXO loss; needs {@linkplain Loss#labelSmoothing label smoothing} above 0. arXiv
   * 2402.00856, Eq. 16.
   *
   * @param beta strength of the tie to the reference, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss exoPair(double beta) {
    return Loss.named("exo_pair").beta(beta);
  }

  /**
   * The pairwise NCA loss. arXiv 2402.05369.
   *
   * @param beta strength of the tie to the reference, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss ncaPair(double beta) {
    return Loss.named("nca_pair").beta(beta);
  }

  /**
   * The Robust DPO loss, which corrects for the share of wrong labels given as {@linkplain
   * Loss#labelSmoothing label smoothing}. arXiv 2403.00409.
   *
   * @param beta strength of the tie to the reference, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss robust(double beta) {
    return Loss.named("robust").beta(beta);
  }

  /**
   * The BCO loss on pairs. arXiv 2404.04656.
   *
   * @param beta strength of the tie to the reference, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss bcoPair(double beta) {
    return Loss.named("bco_pair").beta(beta);
  }

  /**
   * The SPPO loss with hard labels. arXiv 2405.00675, Eq. 4.7.
   *
   * @param beta strength of the tie to the reference, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss sppoHard(double beta) {
    return Loss.named("sppo_hard").beta(beta);
  }

  /**
   * The AOT loss, which sorts the pairs of a micro-batch. arXiv 2406.05882.
   *
   * @param beta strength of the tie to the reference, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss aot(double beta) {
    return Loss.named("aot").beta(beta);
  }

  /**
   * The unpaired AOT loss, which sorts chosen and rejected completions of a micro-batch separately.
   * arXiv 2406.05882.
   *
   * @param beta strength of the tie to the reference, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss aotUnpaired(double beta) {
    return Loss.named("aot_unpaired").beta(beta);
  }

  /**
   * The APO-zero loss. arXiv 2408.06266, Eq. 7.
   *
   * @param beta strength of the tie to the reference, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss apoZero(double beta) {
    return Loss.named("apo_zero").beta(beta);
  }

  /**
   * The APO-down loss. arXiv 2408.06266, Eq. 8.
   *
   * @param beta strength of the tie to the reference, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss apoDown(double beta) {
    return Loss.named("apo_down").beta(beta);
  }

  /**
   * The DiscoPOP loss, see {@link Loss#discopopTau}. arXiv 2406.08414, Eq. 5.
   *
   * @param beta strength of the tie to the reference, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss discopop(double beta) {
    return Loss.named("discopop").beta(beta);
  }

  /**
   * The mean negative log-probability of the chosen tokens: supervised fine-tuning, as a rule
   * beside another loss (RPO, arXiv 2404.19733).
   *
   * @return the loss with its other settings at their defaults
   */
  public static Loss sft() {
    return Loss.named("sft");
  }

  /**
   * The DPO loss on log-ratios averaged over tokens. arXiv 2411.15124.
   *
   * @param beta strength of the tie to the reference, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss sigmoidNorm(double beta) {
    return Loss.named("sigmoid_norm").beta(beta);
  }

  /**
   * The IPO loss on log-ratios summed over tokens, as its paper prints it. arXiv 2310.12036, Eq.
   * 17.
   *
   * @param beta strength of the tie to the reference, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss ipoSum(double beta) {
    return Loss.named("ipo_sum").beta(beta);
  }

  /**
   * The DPO-Positive loss, see {@link Loss#dpopLambda}. arXiv 2402.13228.
   *
   * @param beta strength of the tie to the reference, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss dpop(double beta) {
    return Loss.named("dpop").beta(beta);
  }

  /**
   * The DPO loss with an offset: the reward margin of a pair must exceed {@link Loss#odpoAlpha}
   * times the pair's own margin, see {@link PreferencePair#withMargin}. arXiv 2402.10571.
   *
   * @param beta strength of the tie to the reference, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss odpo(double beta) {
    return Loss.named("odpo").beta(beta);
  }

  /**
   * The SimPO loss, which needs no reference, see {@link Loss#simpoGamma}. arXiv 2405.14734, Eq. 6.
   *
   * @param beta factor of the mean log-probabilities, positive; 2 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss simpo(double beta) {
    return Loss.named("simpo").beta(beta);
  }

  /**
   * The CPO loss, which needs no reference, see {@link Loss#cpoAlpha}. arXiv 2401.08417.
   *
   * @param beta factor of the log-probabilities, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss cpo(double beta) {
    return Loss.named("cpo").beta(beta);
  }

  /**
   * The ORPO loss, which needs no reference. arXiv 2403.07691, Eqs. 6 and 7.
   *
   * @param beta weight of the odds ratio, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss orpo(double beta) {
    return Loss.named("orpo").beta(beta);
  }

  /**
   * The KTO loss on labelled completions, see {@link Loss#desirableWeight}. arXiv 2402.01306, Eq.
   * 7.
   *
   * @param beta strength of the tie to the reference, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss kto(double beta) {
    return Loss.named("kto").beta(beta);
  }

  /**
   * The APO-zero loss on labelled completions, which needs no KL divergence. arXiv 2408.06266.
   *
   * @param beta strength of the tie to the reference, positive; 0.1 is usual
   * @return the loss with its other settings at their defaults
   */
  public static Loss apoZeroUnpaired(double beta) {
    return Loss.named("apo_zero_unpaired").beta(beta);
  }

  /**
   * The mean negative log-probability of the tokens of demonstrations: supervised fine-tuning
   * (SFT).
   *
   * @return the loss
   */
  public static Loss nll() {
    return Loss.named("nll");
  }
}
