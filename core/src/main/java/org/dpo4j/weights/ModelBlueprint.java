package org.dpo4j.weights;

import java.nio.file.Path;
import java.util.List;
import org.dpo4j.model.CausalLm;
import org.dpo4j.model.ModelShape;
import org.dpo4j.model.ParameterSource;

/** A model described by a {@code config.json}, without weights. */
public final class ModelBlueprint {

  private final Path folder;
  private final HuggingFaceConfig config;
  private final ModelPlan plan;

  private ModelBlueprint(Path folder, HuggingFaceConfig config, ModelPlan plan) {
    this.folder = folder;
    this.config = config;
    this.plan = plan;
  }

  /**
   * Reads a config.
   *
   * @param option that names the folder, for messages
   * @throws org.dpo4j.UsageException if there is no such folder
   * @throws org.dpo4j.DpoException if the model is not supported
   */
  public static ModelBlueprint read(String option, Path folder) {
    ModelFolder modelFolder = ModelFolder.of(option, folder);
    HuggingFaceConfig config = modelFolder.config();
    return new ModelBlueprint(folder, config, ModelReader.plan(modelFolder, config));
  }

  /**
   * Opens the weights of the folder.
   *
   * @throws org.dpo4j.DpoException as {@link Checkpoint#open}
   */
  public Checkpoint checkpoint() {
    return Checkpoint.open(folder).of(plan.rules());
  }

  /** The model with what only its weights say: whether the head is the embedding table. */
  public ModelBlueprint of(Checkpoint checkpoint) {
    return new ModelBlueprint(folder, config, plan.of(checkpoint));
  }

  public HuggingFaceConfig config() {
    return config;
  }

  public ModelShape shape() {
    return plan.config().shape();
  }

  /** Whether training adds a loss of the routers, which other runs' losses do not have. */
  public boolean hasRouterLoss() {
    return shape().hasRouterLoss();
  }

  /** The model's parts without a hand-written backward pass, in words. */
  public List<String> untapedParts() {
    return plan.config().untapedParts();
  }

  /** The model's context length in tokens. */
  public int maxPositions() {
    return plan.config().maxPositions();
  }

  /** Number of kinds of blocks. */
  public int blockKinds() {
    return plan.config().kinds();
  }

  /** The model with a few of its blocks, of each kind one before all others. */
  public ModelBlueprint withLayers(int layers) {
    return new ModelBlueprint(folder, config, plan.withLayers(layers));
  }

  /** Builds the model with weights from a source; the caller frees it. */
  public CausalLm build(ParameterSource source) {
    return plan.build(source);
  }
}
