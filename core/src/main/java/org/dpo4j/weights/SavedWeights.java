package org.dpo4j.weights;

import java.nio.file.Path;
import java.util.function.UnaryOperator;
import org.dpo4j.model.Parameters;
import org.dpo4j.torch.NoGrad;
import org.dpo4j.torch.TensorScope;

/** Reads weights that {@link ModelWriter} or {@link PeftAdapter#write} saved back into a model. */
public final class SavedWeights {

  private SavedWeights() {}

  /**
   * Replaces the weights of a model.
   *
   * @param folder a checkpoint of the same architecture
   * @param model changed in place
   * @throws org.dpo4j.DpoException if a weight is missing or has another shape
   */
  public static void read(Path folder, LoadedModel model) {
    Checkpoint saved = Checkpoint.open(folder);
    copy(saved, model.model().parameters(), model.names()::nameInFile);
  }

  /** The same for an adapter. */
  public static void read(Path folder, PeftAdapter adapter) {
    Checkpoint saved = Checkpoint.openAdapter(folder);
    copy(saved, adapter.model().trained(), adapter::nameInFile);
  }

  private static void copy(Checkpoint saved, Parameters parameters, UnaryOperator<String> names) {
    for (Parameters.Parameter parameter : parameters.all()) {
      try (TensorScope scope = TensorScope.open();
          NoGrad noGrad = NoGrad.open()) {
        saved.copyTo(names.apply(parameter.name()), parameter.tensor().detach());
      }
    }
  }
}
