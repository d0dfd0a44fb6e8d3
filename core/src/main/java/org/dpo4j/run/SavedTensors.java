package org.dpo4j.run;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.bytedeco.pytorch.Tensor;
import org.dpo4j.torch.ElementType;
import org.dpo4j.train.TrainingSession;
import org.dpo4j.train.TrainingSession.StateSource;
import org.dpo4j.train.TrainingSnapshot;
import org.dpo4j.weights.PeftAdapter;
import org.dpo4j.weights.SafetensorsFile;
import org.dpo4j.weights.SafetensorsWriter;
import org.dpo4j.weights.SavedWeights;

/**
 * The tensors of a session in the files of a checkpoint: the trained weights as a model or adapter
 * that any tool reads, in float32 whatever the type of the result; the optimizer's moments and the
 * weights of a moving reference beside them.
 */
final class SavedTensors implements StateSource {

  private static final String OPTIMIZER = "optimizer.safetensors";
  private static final String MOVING_REFERENCE = "reference.safetensors";

  private final Path folder;
  private final ModelBundle inputs;
  private final Map<String, SafetensorsFile> fileOf = new HashMap<>();
  private final Set<String> names = new LinkedHashSet<>(Set.of(TrainingSnapshot.WEIGHTS));

  /**
   * @param folder verified
   * @param inputs the model whose weights are replaced
   */
  SavedTensors(Path folder, ModelBundle inputs) {
    this.folder = folder;
    this.inputs = inputs;
    open(OPTIMIZER, "");
    open(MOVING_REFERENCE, TrainingSnapshot.REFERENCE);
  }

  private void open(String file, String prefix) {
    if (Files.exists(folder.resolve(file))) {
      SafetensorsFile opened = SafetensorsFile.open(folder.resolve(file));
      opened
          .names()
          .forEach(
              name -> {
                names.add(prefix + name);
                fileOf.put(prefix + name, opened);
              });
    }
  }

  /** Writes the weights, and with {@code complete} the other tensors of a session. */
  static void write(Path folder, TrainingSession session, ModelBundle inputs, boolean complete) {
    inputs.write(folder, ElementType.F32);
    if (!complete) {
      return;
    }
    Map<String, Tensor> optimizer = new TreeMap<>();
    Map<String, Tensor> reference = new TreeMap<>();
    session
        .tensors()
        .forEach(
            (name, tensor) -> {
              if (name.startsWith(TrainingSnapshot.REFERENCE)) {
                reference.put(name.substring(TrainingSnapshot.REFERENCE.length()), tensor);
              } else if (!name.equals(TrainingSnapshot.WEIGHTS)) {
                optimizer.put(name, tensor);
              }
            });
    SafetensorsWriter.write(folder.resolve(OPTIMIZER), optimizer, ElementType.F32);
    if (!reference.isEmpty()) {
      SafetensorsWriter.write(folder.resolve(MOVING_REFERENCE), reference, ElementType.F32);
    }
  }

  @Override
  public Set<String> names() {
    return names;
  }

  /** The trained weights go into the model's parameters, of which the flat tensor is the memory. */
  @Override
  public void copyTo(String name, Tensor target) {
    if (!name.equals(TrainingSnapshot.WEIGHTS)) {
      SafetensorsFile file = fileOf.get(name);
      if (file == null) {
        throw new IllegalArgumentException("the checkpoint %s has no %s".formatted(folder, name));
      }
      String stored =
          name.startsWith(TrainingSnapshot.REFERENCE)
              ? name.substring(TrainingSnapshot.REFERENCE.length())
              : name;
      file.copyTo(stored, target);
    } else if (inputs.adapter().isPresent()) {
      PeftAdapter adapter = inputs.adapter().get();
      SavedWeights.read(folder, adapter);
    } else {
      SavedWeights.read(folder, inputs.loaded());
    }
  }
}
