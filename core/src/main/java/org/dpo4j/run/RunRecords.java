package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.dpo4j.checkpoint.OutputFolder;
import org.dpo4j.config.EvalStrategy;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.options.YamlOptions;
import org.dpo4j.report.Results;
import org.dpo4j.report.TrainerState;
import org.dpo4j.train.Trainer;

/** Writes the options of a run, its history and its totals, each in a file that programs read. */
record RunRecords(TrainingConfig config, Trainer.Settings settings) {

  void write(OutputFolder folder, Results results) {
    folder.write("dpo4j.yaml", this::writeOptions);
    folder.write("trainer_state.json", file -> state().write(file, results.history()));
    folder.write("train_results.json", results::writeTrain);
    if (results.history().lastEvaluation().isPresent()) {
      folder.write("eval_results.json", results::writeEvaluation);
    }
    folder.write("all_results.json", results::writeAll);
  }

  private void writeOptions(Path file) throws IOException {
    Files.writeString(
        file,
        YamlOptions.write(
            TrainingConfig.OPTIONS,
            // A repeated run replaces this output only if it is told to.
            config.with("overwrite_output_dir", false)));
  }

  private TrainerState state() {
    Integer evalSteps =
        config.evaluation().evalStrategy() == EvalStrategy.STEPS
            ? config.evalInterval().steps(settings.maxSteps())
            : null;
    return new TrainerState(
        settings.maxSteps(),
        (double) settings.maxSteps() / settings.plan().stepsPerEpoch(),
        settings.plan().microBatchSize(),
        settings.loggingSteps(),
        evalSteps);
  }
}
