package org.dpo4j.plan;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.StepReport;
import org.dpo4j.TrainingControl;
import org.dpo4j.TrainingListener;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.logprob.LogProbTable;
import org.dpo4j.loss.Objective;
import org.dpo4j.loss.ReferenceUse;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.ParameterSource;
import org.dpo4j.model.RandomParameters;
import org.dpo4j.model.lora.LoraConfig;
import org.dpo4j.model.lora.LoraModel;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.optim.Optimizer;
import org.dpo4j.reference.PrecomputedReference;
import org.dpo4j.reference.Reference;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.RandomNumbers;
import org.dpo4j.torch.TensorScope;
import org.dpo4j.torch.Tensors;
import org.dpo4j.train.Computation;
import org.dpo4j.train.Trainer;
import org.dpo4j.train.TrainingData;
import org.dpo4j.train.TrainingSession;
import org.dpo4j.weights.ModelBlueprint;

/**
 * A short trial on the machine: a few steps of two models with random weights. They have the width
 * and the vocabulary of the model in question, but only one and three of its blocks. The cost of
 * the other blocks follows from the two, whatever the engine does inside a block. Where blocks are
 * of several kinds, both models have one of each, and the larger one two more: these stand for all
 * others. An adapter is on all blocks, also where the run leaves some out: the few blocks may be
 * just those.
 *
 * @param blueprint of the whole model
 * @param lora adapter that is trained; empty where the model is trained
 * @param frozen type of the matrices of a model that an adapter is trained on
 * @param objective of the run
 * @param optimizer kind of the optimizer with its constants
 * @param maxGradNorm of the run
 * @param computation how steps are computed
 */
public record Trial(
    ModelBlueprint blueprint,
    Optional<LoraConfig> lora,
    ElementType frozen,
    Objective objective,
    Optimizer.Settings optimizer,
    double maxGradNorm,
    Computation computation) {

  private static final int ADDED_LAYERS = 2;
  private static final int STEPS = 6;

  /** Blocks of the larger of the two models. */
  private int moreLayers() {
    return Math.min(blueprint.blockKinds() + ADDED_LAYERS, blueprint.shape().layers());
  }

  /**
   * The larger model of the trial, whose weights, gradients and optimizer state must fit into
   * memory.
   */
  public ModelBlueprint largest() {
    return blueprint.withLayers(moreLayers());
  }

  /** Costs of the whole model on one micro-batch. */
  public StepCost run(List<EncodedExample> microBatch) {
    int fewLayers = blueprint.blockKinds();
    StepCost few = cost(microBatch, fewLayers);
    int layers = blueprint.shape().layers();
    return layers == fewLayers
        ? few
        : few.extrapolate(fewLayers, cost(microBatch, moreLayers()), moreLayers(), layers);
  }

  private StepCost cost(List<EncodedExample> pairs, int layers) {
    RandomNumbers random = new RandomNumbers(0);
    try (CausalLm base = blueprint.withLayers(layers).build(weights(random))) {
      if (lora.isEmpty()) {
        return cost(pairs, base);
      }
      try (LoraModel adapted =
          new LoraModel(base, lora.get().everywhere(), LoraModel.fresh(base, random))) {
        return cost(pairs, adapted);
      }
    }
  }

  /** Random weights; those of a frozen model are of the types that they have in memory. */
  private ParameterSource weights(RandomNumbers random) {
    RandomParameters wide = new RandomParameters(ElementType.F32, random);
    if (lora.isEmpty()) {
      return wide;
    }
    return (name, kind, shape) -> {
      Tensor weight = wide.take(name, kind, shape);
      if (shape.length == 1 || frozen == ElementType.F32) {
        return weight;
      }
      try (TensorScope scope = TensorScope.open()) {
        return scope.disown(weight.to(frozen.scalarType()));
      } finally {
        Tensors.free(weight);
      }
    };
  }

  private StepCost cost(List<EncodedExample> pairs, CausalLm policy) {
    if (computation.bf16()) {
      policy.parameters().enableBf16();
    }
    double forward = Double.MAX_VALUE;
    Reference reference = null;
    for (int i = 0; i < 2; i++) { // the first warms up
      long started = System.nanoTime();
      LogProbTable table =
          LogProbTable.compute(
              computation.engine(), policy, pairs, objective.tail(), pairs.size(), done -> {});
      forward = Math.min(forward, (System.nanoTime() - started) / 1e9);
      if (objective.loss().reference() != ReferenceUse.NONE) {
        reference = new PrecomputedReference(table);
      }
    }
    List<StepReport> reports = new ArrayList<>();
    Trainer.Settings settings =
        new Trainer.Settings(
            new EpochPlan(pairs.size(), pairs.size(), 1, EpochPlan.Order.FILE, 0),
            STEPS,
            LearningRateSchedule.constant(0),
            optimizer,
            maxGradNorm,
            0,
            1,
            computation,
            false);
    TrainingListener collector =
        new TrainingListener() {
          @Override
          public void onStep(StepReport step, TrainingControl control) {
            reports.add(step);
          }
        };
    try (TrainingSession session =
        new TrainingSession(policy, new TrainingData(pairs, reference), objective, settings)) {
      new Trainer(session, collector).train();
    }
    StepReport quick = quick(reports.subList(1, reports.size()));
    return new StepCost(
        quick.computeSeconds(), forward, quick.stepSeconds() - quick.computeSeconds());
  }

  /**
   * The second fastest step: other work on the machine only adds time, and extrapolation to many
   * blocks multiplies that.
   */
  private static StepReport quick(List<StepReport> reports) {
    return reports.stream()
        .sorted((x, y) -> Double.compare(x.stepSeconds(), y.stepSeconds()))
        .toList()
        .get(1);
  }
}
