package org.dpo4j.config;

import static org.dpo4j.config.LossSettings.Setting.CPO_ALPHA;
import static org.dpo4j.config.LossSettings.Setting.DESIRABLE_WEIGHT;
import static org.dpo4j.config.LossSettings.Setting.DISCOPOP_TAU;
import static org.dpo4j.config.LossSettings.Setting.DPOP_LAMBDA;
import static org.dpo4j.config.LossSettings.Setting.LABEL_SMOOTHING;
import static org.dpo4j.config.LossSettings.Setting.ODPO_ALPHA;
import static org.dpo4j.config.LossSettings.Setting.SIMPO_GAMMA;
import static org.dpo4j.config.LossSettings.Setting.UNDESIRABLE_WEIGHT;

import java.util.Set;
import java.util.function.Function;
import org.dpo4j.loss.AotLoss;
import org.dpo4j.loss.AotUnpairedLoss;
import org.dpo4j.loss.ApoDownLoss;
import org.dpo4j.loss.ApoZeroLoss;
import org.dpo4j.loss.ApoZeroUnpairedLoss;
import org.dpo4j.loss.BcoPairLoss;
import org.dpo4j.loss.CpoLoss;
import org.dpo4j.loss.DiscoPopLoss;
import org.dpo4j.loss.DpopLoss;
import org.dpo4j.loss.ExoPairLoss;
import org.dpo4j.loss.HingeLoss;
import org.dpo4j.loss.IpoLoss;
import org.dpo4j.loss.IpoSumLoss;
import org.dpo4j.loss.KtoLoss;
import org.dpo4j.loss.NcaPairLoss;
import org.dpo4j.loss.OdpoLoss;
import org.dpo4j.loss.OrpoLoss;
import org.dpo4j.loss.RobustLoss;
import org.dpo4j.loss.SftLoss;
import org.dpo4j.loss.SigmoidLoss;
import org.dpo4j.loss.SigmoidNormLoss;
import org.dpo4j.loss.SimpoLoss;
import org.dpo4j.loss.SppoHardLoss;
import org.dpo4j.loss.TokenLoss;
import org.dpo4j.loss.TrainingLoss;

/**
 * The values of the option {@code loss_type}, TRL's first: one constant per loss, with the settings
 * that it uses.
 */
@SuppressWarnings("ImmutableEnumChecker") // stateless lambdas and immutable sets
public enum LossType {
  SIGMOID(s -> new SigmoidLoss(s.beta(), s.labelSmoothing()), LABEL_SMOOTHING),
  HINGE(s -> new HingeLoss(s.beta())),
  IPO(s -> new IpoLoss(s.beta())),
  EXO_PAIR(s -> new ExoPairLoss(s.beta(), s.labelSmoothing()), LABEL_SMOOTHING),
  NCA_PAIR(s -> new NcaPairLoss(s.beta())),
  ROBUST(s -> new RobustLoss(s.beta(), s.labelSmoothing()), LABEL_SMOOTHING),
  BCO_PAIR(s -> new BcoPairLoss(s.beta())),
  SPPO_HARD(s -> new SppoHardLoss(s.beta())),
  AOT(s -> new AotLoss(s.beta(), s.labelSmoothing()), LABEL_SMOOTHING),
  AOT_UNPAIRED(s -> new AotUnpairedLoss(s.beta(), s.labelSmoothing()), LABEL_SMOOTHING),
  APO_ZERO(s -> new ApoZeroLoss(s.beta())),
  APO_DOWN(s -> new ApoDownLoss(s.beta())),
  DISCOPOP(s -> new DiscoPopLoss(s.beta(), s.discopopTau()), DISCOPOP_TAU),
  SFT(s -> new SftLoss(s.beta())),
  SIGMOID_NORM(s -> new SigmoidNormLoss(s.beta(), s.labelSmoothing()), LABEL_SMOOTHING),
  IPO_SUM(s -> new IpoSumLoss(s.beta())),
  DPOP(s -> new DpopLoss(s.beta(), s.dpopLambda()), DPOP_LAMBDA),
  ODPO(s -> new OdpoLoss(s.beta(), s.odpoAlpha()), ODPO_ALPHA),
  SIMPO(
      s -> new SimpoLoss(s.beta(), s.simpoGamma(), s.labelSmoothing()),
      SIMPO_GAMMA,
      LABEL_SMOOTHING),
  CPO(s -> new CpoLoss(s.beta(), s.cpoAlpha(), s.labelSmoothing()), CPO_ALPHA, LABEL_SMOOTHING),
  ORPO(s -> new OrpoLoss(s.beta())),
  KTO(
      s -> new KtoLoss(s.beta(), s.desirableWeight(), s.undesirableWeight()),
      DESIRABLE_WEIGHT,
      UNDESIRABLE_WEIGHT),
  APO_ZERO_UNPAIRED(
      s -> new ApoZeroUnpairedLoss(s.beta(), s.desirableWeight(), s.undesirableWeight()),
      DESIRABLE_WEIGHT,
      UNDESIRABLE_WEIGHT),
  NLL(s -> new TokenLoss());

  private final Function<LossSettings, TrainingLoss> maker;
  private final Set<LossSettings.Setting> settings;

  LossType(Function<LossSettings, TrainingLoss> maker, LossSettings.Setting... settings) {
    this.maker = maker;
    this.settings = Set.of(settings);
  }

  /** Whether the loss uses this setting. */
  public boolean takes(LossSettings.Setting setting) {
    return settings.contains(setting);
  }

  /**
   * The loss of this name.
   *
   * @throws org.dpo4j.UsageException if a setting is out of the loss's range
   */
  public TrainingLoss create(LossSettings numbers) {
    return maker.apply(numbers);
  }
}
