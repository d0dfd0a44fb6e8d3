package org.dpo4j.run;

import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Function;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.DataInput;
import org.dpo4j.tokenizer.ModelTokenizer;

/**
 * Inputs of a training run that a program passes instead of files.
 *
 * @param training replaces the files of {@code data_file}
 * @param heldOut replaces the files of {@code eval_file}
 * @param textSide reads tokenizer and chat template of a model folder
 */
public record ProgramInputs(
    Optional<DataInput> training,
    Optional<DataInput> heldOut,
    Function<Path, ModelTokenizer> textSide) {

  /** All inputs are files. */
  public static final ProgramInputs NONE =
      new ProgramInputs(Optional.empty(), Optional.empty(), ModelTokenizer::load);

  /** The pairs to train on; throws UsageException if a file is not there. */
  DataInput training(TrainingConfig config) {
    return config.data().limited(training.orElseGet(() -> config.data().training()));
  }

  /** The pairs to evaluate on; throws UsageException if a file is not there. */
  Optional<DataInput> heldOut(TrainingConfig config) {
    return heldOut.map(config.data()::limited).or(() -> config.data().heldOut());
  }
}
