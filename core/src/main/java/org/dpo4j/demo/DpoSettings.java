package org.dpo4j.demo;

import org.dpo4j.loss.PreferenceLoss;
import org.dpo4j.loss.SigmoidLoss;

/**
 * What {@link Dpo#trainDpo} can be told.
 *
 * @param loss the loss with its constants, for example {@code new SigmoidLoss(0.2)}, {@code new
 *     IpoLoss(0.1)} or {@code new SigmoidNormLoss(0.2, 0)}
 * @param passes over all triples, at least 1
 * @param batchSize triples per optimizer step, at least 1
 * @param learningRate of Adam, constant, not negative
 */
public record DpoSettings(PreferenceLoss loss, int passes, int batchSize, double learningRate) {

  /** Sigmoid loss with beta 0.2, 30 passes, all twelve triples per step, learning rate 1e-4. */
  public static final DpoSettings DEFAULT = new DpoSettings(new SigmoidLoss(0.2), 30, 12, 1e-4);

  public DpoSettings {
    if (passes < 1 || batchSize < 1) {
      throw new IllegalArgumentException(
          "passes and batchSize must be at least 1 but were " + passes + " and " + batchSize);
    }
  }

  /** The same settings with another loss. */
  public DpoSettings withLoss(PreferenceLoss other) {
    return new DpoSettings(other, passes, batchSize, learningRate);
  }

  /** The same settings with another number of passes over the triples. */
  public DpoSettings withPasses(int number) {
    return new DpoSettings(loss, number, batchSize, learningRate);
  }

  /** The same settings with another number of triples per step. */
  public DpoSettings withBatchSize(int triples) {
    return new DpoSettings(loss, passes, triples, learningRate);
  }

  /** The same settings with another learning rate. */
  public DpoSettings withLearningRate(double rate) {
    return new DpoSettings(loss, passes, batchSize, rate);
  }
}
