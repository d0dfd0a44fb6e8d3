package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import org.dpo4j.checkpoint.OutputFolder;
import org.dpo4j.config.EvalStrategy;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.options.OptionSpec;
import org.dpo4j.options.OptionType;
import org.dpo4j.options.YamlOptions;
import org.dpo4j.report.Results;
import org.dpo4j.report.TrainerState;
import org.dpo4j.train.Trainer;
import org.jspecify.annotations.Nullable;

/** Writes the options of a run, its history and its totals, each in a file that programs read. */
record RunRecords(TrainingConfig config, Trainer.Settings settings) {

  static final String OPTIONS = "dpo4j.yaml";
  static final String STATE = "trainer_state.json";

  void write(
      OutputFolder folder, Results results, int saveSteps, Optional<TrainerState.Best> best) {
    folder.write(OPTIONS, this::writeOptions);
    folder.write(STATE, file -> state(saveSteps, best).write(file, results.history()));
    folder.write("train_results.json", results::writeTrain);
    if (results.history().lastEvaluation().isPresent()) {
      folder.write("eval_results.json", results::writeEvaluation);
    }
    folder.write("all_results.json", results::writeAll);
  }

  /** The options, as a repeated run takes them: it replaces or continues only if it is told to. */
  void writeOptions(Path file) throws IOException {
    Files.writeString(file, options(config));
  }

  /** The same as text. */
  static String options(TrainingConfig config) {
    Map<String, Object> options = new LinkedHashMap<>(TrainingConfig.OPTIONS.write(config));
    options.remove("resume_from_checkpoint");
    options.put("overwrite_output_dir", false);
    return YamlOptions.write(TrainingConfig.OPTIONS, TrainingConfig.of(options));
  }

  /** The options that differ from their defaults, as text, of those that are shown. */
  static Map<String, String> changedOptions(TrainingConfig config, Predicate<OptionSpec> shown) {
    Map<String, Object> defaults =
        TrainingConfig.OPTIONS.write(
            TrainingConfig.of(Map.of("model", "m", "data_file", "d", "output_dir", "o")));
    Map<String, Object> values = TrainingConfig.OPTIONS.write(config);
    Map<String, String> changed = new LinkedHashMap<>();
    for (OptionSpec option : TrainingConfig.OPTIONS.options()) {
      @Nullable Object value = values.get(option.name());
      if (value != null && shown.test(option) && !value.equals(defaults.get(option.name()))) {
        changed.put(option.name(), OptionType.text(value));
      }
    }
    return changed;
  }

  TrainerState state(int saveSteps, Optional<TrainerState.Best> best) {
    Integer evalSteps =
        config.evaluation().evalStrategy() == EvalStrategy.STEPS
            ? config.evalInterval().steps(settings.maxSteps())
            : null;
    return new TrainerState(
        settings.maxSteps(),
        (double) settings.maxSteps() / settings.plan().stepsPerEpoch(),
        settings.plan().microBatchSize(),
        settings.loggingSteps(),
        evalSteps,
        saveSteps,
        best);
  }
}
