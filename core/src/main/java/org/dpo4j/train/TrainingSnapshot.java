package org.dpo4j.train;

import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.Tensors;

/**
 * The complete state of a {@link TrainingSession} between two micro-batches, as a copy. Model,
 * pairs and settings of the run are not in it.
 *
 * <p>Names of the tensors: {@code weights}, of shape (count) in the order of {@code layout}; {@code
 * optimizer.NAME} for each vector of the optimizer's state; {@code gradients} of the shape of the
 * weights, in the middle of a step only; {@code reference.NAME} for each weight of a moving
 * reference.
 *
 * @param numbers position, counters and metric sums
 * @param layout name and shape of each trained parameter, in the order of the vectors
 * @param tensors the tensors by name; not to be changed, freed by {@link #close}
 */
public record TrainingSnapshot(Numbers numbers, List<String> layout, Map<String, Tensor> tensors)
    implements TrainingSession.StateSource, AutoCloseable {

  /** Names of the tensors. */
  public static final String WEIGHTS = "weights";

  /** Before the names of the optimizer's state. */
  static final String OPTIMIZER = "optimizer.";

  static final String GRADIENTS = "gradients";

  /** Before the names of a moving reference's weights. */
  public static final String REFERENCE = "reference.";

  /**
   * The state besides tensors. With the run's settings the position determines everything else: the
   * epoch, the order of its pairs, the learning rate, and the dropout masks.
   *
   * @param seed of the run
   * @param step steps done
   * @param skippedSteps steps among them that were skipped
   * @param microBatch micro-batches of the next step that are already in the gradients
   * @param examplesSeen pairs trained on, each counted as often as it was used
   * @param numTokens token ids trained on
   * @param gradNorm gradient norm of the last step that was not skipped
   * @param ofStep metric sums of the micro-batches of the step in progress
   * @param sinceReport metric sums of the steps since the last report
   */
  public record Numbers(
      long seed,
      int step,
      int skippedSteps,
      int microBatch,
      long examplesSeen,
      long numTokens,
      double gradNorm,
      MetricSums ofStep,
      MetricSums sinceReport) {}

  public TrainingSnapshot {
    layout = List.copyOf(layout);
    tensors = Map.copyOf(tensors);
  }

  @Override
  public Set<String> names() {
    return tensors.keySet();
  }

  @Override
  public void copyTo(String name, Tensor target) {
    Tensors.overwrite(target, Objects.requireNonNull(tensors.get(name), name));
  }

  @Override
  public void close() {
    tensors.values().forEach(Tensors::free);
  }
}
