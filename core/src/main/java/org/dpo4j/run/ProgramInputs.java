package org.dpo4j.run;

import java.util.List;
import java.util.Optional;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.DataInput;
import org.dpo4j.data.NamedInput;
import org.dpo4j.tokenizer.TextReplacement;

/**
 * Inputs of a training run that a program passes instead of files.
 *
 * @param training replaces the files of {@code data_file}
 * @param heldOut replaces the files of {@code eval_file}
 * @param text replaces tokenizer and chat template of the model folder
 */
public record ProgramInputs(
    Optional<DataInput> training, Optional<DataInput> heldOut, TextReplacement text) {

  /** All inputs are files. */
  public static final ProgramInputs NONE =
      new ProgramInputs(Optional.empty(), Optional.empty(), TextReplacement.NONE);

  /** The pairs to train on; throws UsageException if a file is not there. */
  DataInput training(TrainingConfig config) {
    return config.data().limited(training.orElseGet(() -> config.data().training()));
  }

  /**
   * What is used in place of the model folder's tokenizer and chat template.
   *
   * @throws org.dpo4j.DpoException if the file of a template cannot be read or parsed
   */
  TextReplacement text(TrainingConfig config) {
    return config
        .template()
        .replacing(text)
        .orOfAdapter(config.model().adapter(), config.model().model());
  }

  /** The sets of pairs to evaluate on; throws UsageException if a file is not there. */
  List<NamedInput> heldOut(TrainingConfig config) {
    return heldOut
        .map(config.data()::limited)
        .map(input -> List.of(new NamedInput("", input)))
        .orElseGet(() -> config.data().heldOut());
  }
}
