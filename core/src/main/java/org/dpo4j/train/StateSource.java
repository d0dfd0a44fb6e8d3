package org.dpo4j.train;

import java.util.Set;
import org.bytedeco.pytorch.Tensor;

/** Saved tensors of a {@link TrainingSession}, named as in {@link TrainingSnapshot}. */
public interface StateSource {

  /** Names of the tensors. */
  Set<String> names();

  /**
   * Copies the elements of a tensor.
   *
   * @param target of the same shape; changed in place
   */
  void copyTo(String name, Tensor target);
}
