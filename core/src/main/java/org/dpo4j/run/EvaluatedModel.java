package org.dpo4j.run;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.config.InputPaths;
import org.dpo4j.config.ReferenceChoice;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.report.RunOutput;
import org.dpo4j.weights.PeftAdapter;

/**
 * A model to evaluate, with what its rewards are relative to.
 *
 * @param name as the user named it
 * @param base the folder of the weights
 * @param adapter on them
 * @param reference another model; empty for the base under an adapter, or for none
 * @param toBase whether the reference is the base under the adapter
 * @param beta of the model's own run, if its folder has the options
 */
public record EvaluatedModel(
    Path name,
    Path base,
    Optional<Path> adapter,
    Optional<Path> reference,
    boolean toBase,
    Optional<Double> beta) {

  /**
   * Finds the parts of a model.
   *
   * @param folder of a model or an adapter
   * @param baseModel of adapters, if the user gave one
   * @param refModel of all models, if the user gave one
   * @param output receives a warning if the options of its run cannot be read
   */
  static EvaluatedModel of(
      Path folder, Optional<Path> baseModel, Optional<Path> refModel, RunOutput output) {
    Optional<TrainingConfig> trained = RecordedOptions.of(folder, output);
    Optional<Double> beta = trained.map(config -> config.loss().beta());
    if (InputPaths.isAdapter(folder)) {
      Path base = baseModel.orElseGet(() -> base(folder));
      Optional<Path> reference = refModel.or(() -> trained.flatMap(EvaluatedModel::other));
      return new EvaluatedModel(
          folder, base, Optional.of(folder), reference, reference.isEmpty(), beta);
    }
    Optional<Path> reference =
        refModel.or(() -> trained.flatMap(config -> other(config).or(() -> start(config))));
    return new EvaluatedModel(folder, folder, Optional.empty(), reference, false, beta);
  }

  /** The reference that the run was told to use, if it is there. */
  private static Optional<Path> other(TrainingConfig config) {
    return config.loss().refModel().filter(EvaluatedModel::there);
  }

  /** The model that the run started from, if it was whole and is there. */
  private static Optional<Path> start(TrainingConfig config) {
    return Optional.of(config.model().model())
        .filter(path -> config.model().adapter().isEmpty() && there(path))
        .filter(path -> config.loss().referenceChoice() != ReferenceChoice.BASE);
  }

  private static boolean there(Path folder) {
    return Files.exists(folder.resolve("config.json"));
  }

  private static Path base(Path adapter) {
    String named = PeftAdapter.baseName("model", adapter).orElse("");
    for (Path path : List.of(Path.of(named), adapter.resolve(named))) {
      if (!named.isEmpty() && there(path)) {
        return path;
      }
    }
    throw new UsageException(
        "model",
        "must be a model, or an adapter whose model is there,",
        "%s names %s".formatted(adapter, named.isEmpty() ? "none" : named + ", which is not"),
        OptionText.of("pass the model of the adapter as {base_model}"));
  }

  /** The reference in words, if there is one. */
  public Optional<String> referenceName() {
    return toBase ? Optional.of(base.toString()) : reference.map(Path::toString);
  }
}
