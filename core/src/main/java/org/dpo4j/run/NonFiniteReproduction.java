package org.dpo4j.run;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.dpo4j.DpoException;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.data.FileFailure;
import org.dpo4j.encode.EncodedExample;
import org.dpo4j.options.YamlOptions;
import org.dpo4j.train.NonFiniteStep;
import org.dpo4j.train.NonFiniteStepException;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * Writes a folder from which a step with a number that is not finite can be computed again: its
 * pairs as token ids, options for a run of this one step, the options of the run, and the numbers.
 * Weights are not written: they can be large, and a repeated run has the same.
 */
record NonFiniteReproduction(TrainingConfig config) {

  private static final JsonMapper JSON = JsonMapper.shared();

  /** Groups of options that a run of one step must not have. */
  private static final Set<String> GROUPS_LEFT_OUT = Set.of("evaluation", "checkpoints");

  /** Options about files and schedule that a run of one step must not have. */
  private static final Set<String> LEFT_OUT =
      Set.of(
          "data_weights",
          "max_samples",
          "eval_file",
          "eval_split",
          "columns",
          "chat_template",
          "chat_template_kwargs",
          "data_format",
          "max_length",
          "warmup_steps",
          "warmup_ratio",
          "on_nan",
          "overwrite_output_dir",
          "report_to",
          "run_name");

  /**
   * Writes the folder.
   *
   * @param folder created; files of an earlier reproduction in it are replaced
   * @return the failure with a message that names the folder, or the reason why there is none
   */
  DpoException write(NonFiniteStepException failure, Path folder) {
    try {
      Files.createDirectories(folder);
      NonFiniteStep step = failure.step();
      Path pairs = folder.resolve("pairs.jsonl");
      Files.write(pairs, step.examples().stream().map(NonFiniteReproduction::row).toList());
      Files.writeString(folder.resolve("values.json"), values(step) + "\n");
      Files.writeString(
          folder.resolve("dpo4j.yaml"), YamlOptions.write(TrainingConfig.OPTIONS, config));
      Path options = folder.resolve("reproduce.yaml");
      Files.writeString(options, YamlOptions.write(TrainingConfig.OPTIONS, oneStep(pairs, folder)));
      Files.writeString(folder.resolve("README.md"), readme(step, options));
      return new DpoException(
          "%s. To reproduce it, see %s".formatted(failure.text(), folder.resolve("README.md")),
          failure);
    } catch (IOException e) {
      return new DpoException(
          "%s. The pairs could not be written to %s: %s"
              .formatted(failure.text(), folder, FileFailure.reason(e)),
          failure);
    }
  }

  private static String row(EncodedExample example) {
    Map<String, Object> row = new LinkedHashMap<>();
    row.put("prompt_ids", example.promptIds());
    example
        .trained()
        .completions()
        .forEach(completion -> row.put(example.column(completion) + "_ids", completion.ids()));
    if (!example.isPair()) {
      row.put("label", example.isDesirable());
    }
    row.put("weight", example.weight());
    example.numbers().margin().ifPresent(margin -> row.put("margin", margin));
    return JSON.writeValueAsString(row);
  }

  private String values(NonFiniteStep step) {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("step", step.step());
    values.put("seed", config.engine().seed());
    values.put("loss", number(step.loss()));
    values.put("grad_norm", number(step.gradNorm()));
    values.put("rows", step.examples().stream().map(pair -> pair.origin().toString()).toList());
    values.put("bad_pairs", step.bad().stream().map(NonFiniteReproduction::bad).toList());
    return JSON.writer().with(SerializationFeature.INDENT_OUTPUT).writeValueAsString(values);
  }

  private static Map<String, Object> bad(NonFiniteStep.BadExample bad) {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("row", bad.example().origin().toString());
    values.put("loss", number(bad.loss()));
    values.put("logps/chosen", number(bad.logpsChosen()));
    values.put("logps/rejected", number(bad.logpsRejected()));
    values.put("grad_norm", number(bad.gradNorm()));
    return values;
  }

  /** JSON has no NaN and no infinity: both become strings. */
  private static Object number(double value) {
    return Double.isFinite(value) ? (Object) value : Double.toString(value);
  }

  /** The options of a run of this step alone. */
  private TrainingConfig oneStep(Path pairs, Path folder) {
    Map<String, Object> options = TrainingConfig.OPTIONS.write(config);
    TrainingConfig.OPTIONS.options().stream()
        .filter(option -> GROUPS_LEFT_OUT.contains(option.group()))
        .forEach(option -> options.remove(option.name()));
    options.keySet().removeAll(LEFT_OUT);
    options.put("save_strategy", "no");
    options.put("data_file", List.of(pairs));
    options.put("max_length", 0); // the pairs are cut already
    options.put("shuffle", false);
    options.put("max_steps", 1);
    options.put("logging_steps", 1);
    options.put("reference_cache", "off");
    options.put("sample_prompts", 0);
    options.put("ui", false);
    options.put("output_dir", folder.resolve("out"));
    return TrainingConfig.of(options);
  }

  private String readme(NonFiniteStep step, Path options) {
    List<String> bad = step.bad().isEmpty() ? List.of("none alone") : step.rows();
    return """
        # Step %d of a dpo4j run

        A loss, a log-probability or a gradient of this step was not finite, so that the run stopped
        before the step changed a weight. Seed %d; rows with such numbers: %s.

        | file | contents |
        |---|---|
        | `pairs.jsonl` | the pairs of the step as token ids, in order |
        | `values.json` | the numbers that were found, and the row of each pair |
        | `reproduce.yaml` | options of a run of this step alone |
        | `dpo4j.yaml` | options of the run |

        To train on these pairs from the model that the run started from, in the folder where the run
        was started:

            ./dpo4j train --config %s

        If that ends without an error, the weights at this step matter too. The run itself, repeated
        or resumed with the same options and the same number of threads, stops at the same step.
        """
        .formatted(step.step(), config.engine().seed(), String.join(" ", bad), options);
  }
}
