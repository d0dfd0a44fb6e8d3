package org.dpo4j.reference;

import java.util.List;
import org.dpo4j.batch.FlatSequences;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.logprob.LengthDesensitizing;
import org.dpo4j.logprob.LogProbEngine;
import org.dpo4j.logprob.LogProbPass;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.Parameters;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;

/**
 * TR-DPO: a reference that follows the policy. After every tau-th step its weights become alpha x
 * policy + (1 - alpha) x reference. Gorbatovski et al. 2024, arXiv 2404.09656; as TRL's {@code
 * sync_ref_model}. Its log-probabilities are computed for each micro-batch.
 *
 * <p>Where an adapter is trained, the weights that move are those of a second adapter on the same
 * model. TRL 1.16 refuses that; its callback computes this on its "ref" adapter.
 */
public final class MovingReference implements Reference {

  /**
   * When and how far the reference moves.
   *
   * @param alpha share of the policy in [0, 1]; 1 replaces the reference
   * @param everySteps tau, at least 1
   */
  public record SyncSchedule(double alpha, int everySteps) {
    public SyncSchedule {
      if (!(alpha >= 0 && alpha <= 1) || everySteps < 1) { // !(>=) refuses NaN too
        throw new IllegalArgumentException(
            "alpha must be in [0, 1] and steps at least 1 but were " + alpha + ", " + everySteps);
      }
    }
  }

  private final LogProbEngine engine;
  private final CausalLm model;
  private final SyncSchedule schedule;
  private final LengthDesensitizing tail;

  /**
   * Starts with the weights of a model.
   *
   * @param engine computes the reference's log-probabilities
   * @param model changed by {@link #afterStep} and closed with this object; its {@link
   *     CausalLm#trained} weights must have the policy's names and shapes
   * @param schedule when and how far the reference moves
   * @param tail token weights of the log-probabilities
   */
  public MovingReference(
      LogProbEngine engine, CausalLm model, SyncSchedule schedule, LengthDesensitizing tail) {
    this.engine = engine;
    this.model = model;
    this.schedule = schedule;
    this.tail = tail;
  }

  @Override
  public ScoredExample scored(int index, EncodedExample example) {
    return new ScoredExample(example, null);
  }

  @Override
  public double[] logProbs(List<ScoredExample> examples, FlatSequences sequences) {
    try (TensorScope scope = TensorScope.open();
        LogProbPass pass = engine.forward(model, sequences, tail, LogProbEngine.Purpose.SUMS)) {
      return Tensors.toDoubles(pass.weightedSums());
    }
  }

  @Override
  public void afterStep(int step, CausalLm policy) {
    if (step % schedule.everySteps() != 0) {
      return;
    }
    List<Parameters.Parameter> sources = policy.trained().all();
    List<Parameters.Parameter> targets = model.trained().all();
    try (TensorScope scope = TensorScope.open();
        NoGrad noGrad = NoGrad.open()) {
      for (int i = 0; i < targets.size(); i++) {
        targets
            .get(i)
            .tensor()
            .mul_(Tensors.scalar(1 - schedule.alpha()))
            .add_(sources.get(i).tensor(), Tensors.scalar(schedule.alpha()));
      }
    }
    model.weightsChanged();
  }

  @Override
  public Parameters movingWeights() {
    return model.trained();
  }

  @Override
  public void weightsChanged() {
    model.weightsChanged();
  }

  @Override
  public void close() {
    model.close();
  }
}
