package org.dpo4j.run;

import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.dpo4j.batch.EpochPlan;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.model.ModelShape;
import org.dpo4j.model.WeightStorage;
import org.dpo4j.model.lora.LoraConfig;
import org.dpo4j.plan.AdapterShape;
import org.dpo4j.plan.MemoryModel;
import org.dpo4j.plan.TokenLoad;
import org.dpo4j.torch.ElementType;
import org.dpo4j.torch.Engine;

/**
 * The memory that a training run needs, by the model of {@code plan}.
 *
 * @param shape of the model that is trained
 * @param lora the adapter, if one is trained
 * @param biases number of the model's biases that are trained beside the adapter
 * @param storage how weights are kept that are not trained
 * @param dtype of the checkpoint
 * @param autograd whether libtorch's autograd computes the run; what it saves is not counted
 */
record MemoryNeed(
    TrainingConfig config,
    ModelShape shape,
    Optional<LoraConfig> lora,
    long biases,
    WeightStorage storage,
    ElementType dtype,
    boolean autograd) {

  /** Whether micro-batches are computed in pieces, which changes no number. */
  boolean separable() {
    return config.loss().objective().loss().separable() && !shape.hasRouterLoss();
  }

  /** The sizes of the adapter. */
  Optional<AdapterShape> adapter() {
    return lora.map(adapter -> AdapterShape.of(adapter, shape, biases));
  }

  /**
   * The parts of the peak.
   *
   * @param largest what a micro-batch has in memory at once, at most
   */
  Map<MemoryModel.Part, Long> peak(TrainingExamples pairs, TokenLoad largest) {
    long all = pairs.datasets().stream().mapToLong(dataset -> dataset.examples().size()).sum();
    // Autograd recomputes logits alone.
    boolean recomputes = config.engine().gradientCheckpointing() && !autograd;
    return model(shape, recomputes).peak(all, largest, referenceCopy());
  }

  /** The same for a micro-batch size of a step with a number of examples. */
  long peak(TrainingExamples pairs, int microBatch, int stepExamples) {
    EpochPlan plan =
        config.epochPlan(pairs.training().rows(), microBatch, stepExamples / microBatch);
    TokenLoad largest =
        MicroBatches.of(pairs.training(), plan, config.steps(plan), shape, separable()).largest();
    return MemoryModel.total(peak(pairs, largest));
  }

  /** The model of memory for a model of another shape. */
  MemoryModel model(ModelShape other, boolean recomputes) {
    return new MemoryModel(
        other,
        lora.map(adapter -> AdapterShape.of(adapter, other, biases))
            .map(sizes -> autograd ? sizes.withTrainedHead() : sizes),
        MemoryModel.frozenBytes(other, storage, dtype.bytes()),
        bf16Bytes(other),
        recomputes,
        Engine.threads(),
        config.optimizer().optim().momentsInMemory());
  }

  private long bf16Bytes(ModelShape other) {
    if (!config.engine().computation().bf16()) {
      return 0;
    }
    return MemoryModel.bf16Bytes(other, lora.isPresent() ? storage : WeightStorage.FP32, dtype);
  }

  /**
   * A moving reference stays in memory beside the policy; a fixed one is freed before the first
   * step.
   */
  private long referenceCopy() {
    return config.loss().syncRefModel()
        ? adapter().map(AdapterShape::parameters).orElse(shape.parameters())
        : 0;
  }

  /**
   * A micro-batch.
   *
   * @param examples in it
   * @param bytes that a step needs with it
   */
  record MicroBatch(int examples, long bytes) {}

  /**
   * The largest micro-batch with which a step fits.
   *
   * @param stepExamples examples of a step, which micro-batches divide without a rest
   * @param most largest micro-batch that is considered
   * @param memory bytes
   * @return empty if none fits
   */
  Optional<MicroBatch> largestMicroBatch(
      TrainingExamples pairs, int stepExamples, int most, long memory) {
    return IntStream.rangeClosed(1, most)
        .map(i -> most + 1 - i)
        .filter(micro -> stepExamples % micro == 0)
        .mapToObj(micro -> new MicroBatch(micro, peak(pairs, micro, stepExamples)))
        .filter(micro -> micro.bytes() <= memory)
        .findFirst();
  }
}
