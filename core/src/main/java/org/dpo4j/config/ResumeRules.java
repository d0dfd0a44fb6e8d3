package org.dpo4j.config;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.options.OptionSpec;
import org.dpo4j.options.OptionType;
import org.jspecify.annotations.Nullable;

/** Which options may change when a run continues from a checkpoint. */
public final class ResumeRules {

  /** Inputs: their content is compared, not their path. */
  private static final Set<String> INPUTS =
      Set.of(
          "model",
          "adapter",
          "chat_template",
          "ref_model",
          "data_file",
          "data_weights",
          "max_samples",
          "columns",
          "data_format",
          "on_bad_row",
          "eval_file",
          "eval_split",
          "eval_split_seed",
          "max_length",
          "truncation_mode");

  /** Those of the inputs that select and cut the rows of files. */
  private static final List<String> ROWS =
      List.of(
          "max_samples",
          "data_weights",
          "columns",
          "data_format",
          "on_bad_row",
          "eval_split",
          "eval_split_seed",
          "max_length",
          "truncation_mode");

  /** What is reported and saved, and when; no number of a step depends on it. */
  private static final Set<String> OUTPUTS =
      Set.of(
          "output_dir",
          "overwrite_output_dir",
          "save_dtype",
          "logging_steps",
          "log_format",
          "report_to",
          "run_name",
          "ledger",
          "sample_prompts",
          "ui",
          "eval_strategy",
          "eval_steps",
          "per_device_eval_batch_size",
          "auto_find_batch_size",
          "reference_cache",
          "gradient_checkpointing",
          "save_strategy",
          "save_steps",
          "save_total_limit",
          "save_only_model",
          "load_best_model_at_end",
          "metric_for_best_model",
          "greater_is_better",
          "resume_from_checkpoint",
          "early_stopping_patience",
          "early_stopping_threshold",
          "guard",
          "on_nan",
          "on_nan_limit",
          "ddp_timeout");

  /** How long the run is; the learning rate depends on it. */
  private static final Set<String> LENGTH = Set.of("num_train_epochs", "max_steps");

  /** How steps are computed: another value changes rounding. */
  private static final Set<String> ROUNDING = Set.of("threads", "device", "engine");

  /** How the examples of a step are divided. */
  public static final List<String> MICRO_BATCH =
      List.of("per_device_train_batch_size", "gradient_accumulation_steps");

  /** Texts of the options that have a default. */
  private static final Map<String, String> DEFAULTS = defaults();

  private ResumeRules() {}

  private static Map<String, String> defaults() {
    Map<String, String> placeholders = new LinkedHashMap<>();
    for (OptionSpec option : TrainingConfig.OPTIONS.options()) {
      if (option.required()) {
        placeholders.put(option.name(), "x");
      }
    }
    Map<String, String> defaults = texts(TrainingConfig.of(placeholders));
    defaults.keySet().removeAll(placeholders.keySet());
    return defaults;
  }

  /** The options of a run as texts, to be saved with a checkpoint. */
  public static Map<String, String> texts(TrainingConfig config) {
    Map<String, String> texts = new LinkedHashMap<>();
    TrainingConfig.OPTIONS
        .write(config)
        .forEach(
            (name, value) ->
                texts.put(
                    name, value instanceof Map<?, ?> ? OptionType.text(value) : value.toString()));
    return texts;
  }

  /** The options as texts that decide what a step computes, besides the inputs. */
  public static Map<String, String> deciding(TrainingConfig config) {
    Map<String, String> texts = texts(config);
    texts.keySet().removeAll(INPUTS);
    texts.keySet().removeAll(OUTPUTS);
    texts.keySet().removeAll(ROUNDING);
    return texts;
  }

  /**
   * Compares the options of a run with those of the run that saved the checkpoint.
   *
   * @param saved as {@link #texts} gave them; one that the version that wrote them did not have had
   *     its default
   * @return the options that change rounding, with their old and new values; for a note
   * @throws UsageException if an option differs that would make another run of it
   */
  public static List<String> check(Map<String, String> saved, TrainingConfig config) {
    return check(saved, config, false);
  }

  /**
   * As above.
   *
   * @param sameSteps whether steps have the same examples, and the same sum over them, however they
   *     are divided into micro-batches
   */
  public static List<String> check(
      Map<String, String> saved, TrainingConfig config, boolean sameSteps) {
    List<String> refused = new ArrayList<>();
    List<String> rounding = new ArrayList<>();
    Map<String, String> given = texts(config);
    given.forEach(
        (name, now) -> {
          String before = saved.containsKey(name) ? saved.get(name) : DEFAULTS.get(name);
          if (Objects.equals(before, now)
              || INPUTS.contains(name)
              || OUTPUTS.contains(name)
              || LENGTH.contains(name)) {
            return;
          }
          String change = OptionText.of("{%s} was %s and is now %s", name, shown(before), now);
          boolean rounds = ROUNDING.contains(name) || (sameSteps && MICRO_BATCH.contains(name));
          (rounds ? rounding : refused).add(change);
        });
    saved.forEach(
        (name, before) -> {
          if (!given.containsKey(name) && !INPUTS.contains(name) && !OUTPUTS.contains(name)) {
            refused.add(OptionText.of("{%s} was %s and is now not given", name, before));
          }
        });
    if (!refused.isEmpty()) {
      throw new UsageException(
          "resume_from_checkpoint",
          "continues a run with the options that it had",
          String.join(", ", refused),
          OptionText.of(
              "pass the old values, or start a new run from the checkpoint's weights with {model}"));
    }
    return rounding;
  }

  /**
   * The options that select and cut the rows, besides the files, and differ; each with its old and
   * new value.
   *
   * @param saved as {@link #texts} gave them
   */
  public static Map<String, String> changedRows(Map<String, String> saved, TrainingConfig config) {
    Map<String, String> given = texts(config);
    Map<String, String> changes = new LinkedHashMap<>();
    for (String name : ROWS) {
      String before = saved.containsKey(name) ? saved.get(name) : DEFAULTS.get(name);
      if (!Objects.equals(before, given.get(name))) {
        changes.put(name, "was %s and is now %s".formatted(shown(before), shown(given.get(name))));
      }
    }
    return changes;
  }

  private static String shown(@Nullable String value) {
    return value == null ? "not given" : value;
  }
}
