package org.dpo4j.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.options.GivenValue;
import org.dpo4j.options.MissingOptionsException;
import org.dpo4j.options.OptionSpec;
import org.dpo4j.options.OptionType;
import org.dpo4j.options.StepInterval;
import org.dpo4j.options.YamlOptions;
import org.dpo4j.report.BestMetric;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes the gap between what a user writes and what the run does: options that are declared but
 * not read, defaults that drift from TRL's, TRL options that get no answer, and values that YAML
 * turns into something else.
 */
class TrainingOptionsTest {
  private static final Map<String, String> REQUIRED =
      Map.of("model", "m", "data_file", "d.jsonl", "output_dir", "o");

  /** A valid value for each option that differs from its default. */
  private static final Map<String, String> OTHER =
      Map.ofEntries(
          Map.entry("model", "other"),
          Map.entry("adapter", "a"),
          Map.entry("use_peft", "true"),
          Map.entry("lora_r", "8"),
          Map.entry("lora_alpha", "16"),
          Map.entry("lora_dropout", "0.2"),
          Map.entry("lora_target_modules", "q_proj,v_proj"),
          Map.entry("lora_target_parameters", "mlp.experts.down_proj"),
          Map.entry("lora_exclude_modules", "q_proj,.*[.]0[.].*"),
          Map.entry("lora_layers_to_transform", "0,3"),
          Map.entry("lora_modules_to_save", "embed_tokens"),
          Map.entry("lora_rank_pattern", "q_proj=4"),
          Map.entry("lora_alpha_pattern", "q_proj=8"),
          Map.entry("use_rslora", "true"),
          Map.entry("disable_dropout", "false"),
          Map.entry("base_dtype", "int8"),
          Map.entry("data_file", "x.json"),
          Map.entry("eval_file", "e.jsonl"),
          Map.entry("max_samples", "3"),
          Map.entry("chat_template", "t.jinja"),
          Map.entry("tokenizer_source", "transformers"),
          Map.entry("chat_template_kwargs", "{\"effort\": \"low\", \"names\": [\"a\", \"7\", 7]}"),
          Map.entry("max_length", "512"),
          Map.entry("on_bad_row", "skip"),
          Map.entry("shuffle", "false"),
          Map.entry("data_weights", "0.75,0.25"),
          Map.entry("eval_split", "0.25"),
          Map.entry("eval_split_seed", "7"),
          Map.entry("columns", "prompt=question,chosen=good"),
          Map.entry("loss_type", "hinge"),
          Map.entry("beta", "0.3"),
          Map.entry("label_smoothing", "0.1"),
          Map.entry("reference", "base"),
          Map.entry("ref_model", "r"),
          Map.entry("learning_rate", "5.5e-7"),
          Map.entry("optim", "adafactor"),
          Map.entry("weight_decay", "0.01"),
          Map.entry("adam_beta1", "0.8"),
          Map.entry("adam_beta2", "0.95"),
          Map.entry("adam_epsilon", "1e-6"),
          Map.entry("lora_bias", "lora_only"),
          Map.entry("lora_ensure_weight_tying", "true"),
          Map.entry("use_dora", "true"),
          Map.entry("max_grad_norm", "0.5"),
          Map.entry("on_nan", "skip"),
          Map.entry("on_nan_limit", "3"),
          Map.entry("num_train_epochs", "1.5"),
          Map.entry("max_steps", "7"),
          Map.entry("lr_scheduler_type", "polynomial"),
          Map.entry("lr_scheduler_kwargs", "{\"lr_end\": 5.5e-8, \"power\": 2}"),
          Map.entry("loss_weights", "2"),
          Map.entry("f_divergence_type", "forward_kl"),
          Map.entry("f_alpha_divergence_coef", "0.25"),
          Map.entry("ld_alpha", "0.25"),
          Map.entry("use_weighting", "true"),
          Map.entry("discopop_tau", "0.25"),
          Map.entry("dpop_lambda", "5"),
          Map.entry("odpo_alpha", "0.5"),
          Map.entry("simpo_gamma", "0.25"),
          Map.entry("cpo_alpha", "0.25"),
          Map.entry("desirable_weight", "0.25"),
          Map.entry("undesirable_weight", "0.25"),
          Map.entry("completion_only_loss", "false"),
          Map.entry("assistant_only_loss", "true"),
          Map.entry("packing", "true"),
          Map.entry("packing_strategy", "wrapped"),
          Map.entry("truncation_mode", "keep_end"),
          Map.entry("auto_find_batch_size", "true"),
          Map.entry("reference_cache", "kept"),
          Map.entry("sync_ref_model", "true"),
          Map.entry("ref_model_mixup_alpha", "0.25"),
          Map.entry("ref_model_sync_steps", "2"),
          Map.entry("warmup_steps", "0.25"),
          Map.entry("warmup_ratio", "0.25"),
          Map.entry("per_device_train_batch_size", "2"),
          Map.entry("gradient_accumulation_steps", "4"),
          Map.entry("eval_strategy", "epoch"),
          Map.entry("eval_steps", "0.5"),
          Map.entry("per_device_eval_batch_size", "3"),
          Map.entry("overwrite_output_dir", "true"),
          Map.entry("output_dir", "out"),
          Map.entry("save_dtype", "bfloat16"),
          Map.entry("logging_steps", "1"),
          Map.entry("log_format", "json"),
          Map.entry("report_to", "tensorboard"),
          Map.entry("run_name", "first"),
          Map.entry("ledger", "false"),
          Map.entry("sample_prompts", "1"),
          Map.entry("ui", "8080"),
          Map.entry("seed", "-3"),
          Map.entry("device", "auto"),
          Map.entry("data_format", "token_ids"),
          Map.entry("threads", "2"),
          Map.entry("bf16", "true"),
          Map.entry("gradient_checkpointing", "true"),
          Map.entry("engine", "autograd"),
          Map.entry("ddp_timeout", "60"),
          Map.entry("save_strategy", "epoch"),
          Map.entry("save_steps", "0.25"),
          Map.entry("save_total_limit", "5"),
          Map.entry("save_only_model", "true"),
          Map.entry("load_best_model_at_end", "true"),
          Map.entry("metric_for_best_model", "rewards/margins"),
          Map.entry("greater_is_better", "true"),
          Map.entry("resume_from_checkpoint", "true"),
          Map.entry("early_stopping_patience", "3"),
          Map.entry("early_stopping_threshold", "0.25"),
          Map.entry("guard", "unstable,narrowed"));

  private static final Set<String> OF_DEMONSTRATIONS =
      Set.of("completion_only_loss", "assistant_only_loss", "packing", "packing_strategy");

  private final Path folder;

  TrainingOptionsTest(@TempDir Path folder) {
    this.folder = folder;
  }

  /** What an option needs beside it to have a meaning. */
  private static final Map<String, Map<String, String>> BESIDE =
      Map.ofEntries(
          Map.entry("eval_strategy", Map.of("eval_file", "e.jsonl")),
          Map.entry(
              "load_best_model_at_end", Map.of("eval_file", "e.jsonl", "eval_strategy", "steps")),
          Map.entry(
              "early_stopping_patience", Map.of("eval_file", "e.jsonl", "eval_strategy", "steps")),
          Map.entry("data_weights", Map.of("data_file", "a.jsonl,b.csv")),
          Map.entry("reference", Map.of("adapter", "a")),
          Map.entry("disable_dropout", Map.of("adapter", "a")),
          Map.entry("base_dtype", Map.of("adapter", "a")),
          Map.entry("lr_scheduler_kwargs", Map.of("lr_scheduler_type", "polynomial")),
          Map.entry("f_alpha_divergence_coef", Map.of("f_divergence_type", "alpha_divergence")),
          Map.entry("discopop_tau", Map.of("loss_type", "discopop")),
          Map.entry("dpop_lambda", Map.of("loss_type", "dpop")),
          Map.entry("odpo_alpha", Map.of("loss_type", "odpo")),
          Map.entry("simpo_gamma", Map.of("loss_type", "simpo")),
          Map.entry("cpo_alpha", Map.of("loss_type", "cpo")),
          Map.entry("desirable_weight", Map.of("loss_type", "kto")),
          Map.entry("undesirable_weight", Map.of("loss_type", "kto")),
          Map.entry("completion_only_loss", Map.of("loss_type", "nll")),
          Map.entry("assistant_only_loss", Map.of("loss_type", "nll")),
          Map.entry("packing", Map.of("loss_type", "nll")),
          Map.entry("packing_strategy", Map.of("loss_type", "nll", "packing", "true")),
          Map.entry("ref_model_mixup_alpha", Map.of("sync_ref_model", "true")),
          Map.entry("ref_model_sync_steps", Map.of("sync_ref_model", "true")));

  @Test
  void everyOptionIsReadFromFlagsAndFromYamlAlike() throws IOException {
    assertThat(OTHER.keySet()).isEqualTo(ownNames());
    for (Map.Entry<String, String> option : OTHER.entrySet()) {
      Map<String, String> values = new LinkedHashMap<>(REQUIRED);
      values.putAll(BESIDE.getOrDefault(option.getKey(), Map.of()));
      TrainingConfig before = TrainingConfig.of(values);
      values.put(option.getKey(), option.getValue());
      TrainingConfig fromFlags = TrainingOptions.resolve(Map.of(), given(values)).config();
      TrainingConfig fromYaml = TrainingOptions.resolve(yaml(lines(values)), Map.of()).config();

      assertThat(fromYaml).as(option.getKey()).isEqualTo(fromFlags);
      Map<String, Object> written = TrainingConfig.OPTIONS.write(fromFlags);
      assertThat(OptionType.text(written.getOrDefault(option.getKey(), "")))
          .as(option.getKey())
          .isEqualTo(option.getValue());
      assertThat(fromFlags).as(option.getKey()).isNotEqualTo(before);
    }
  }

  @Test
  void everyWordForNoReferenceCacheTurnsItOff() throws IOException {
    for (String word : List.of("off", "none", "false")) {
      Map<String, String> values = new LinkedHashMap<>(REQUIRED);
      values.put("reference_cache", word);
      TrainingConfig fromFlags = TrainingOptions.resolve(Map.of(), given(values)).config();
      TrainingConfig fromYaml = TrainingOptions.resolve(yaml(lines(values)), Map.of()).config();
      assertThat(CacheFolder.of(fromFlags)).as(word).isEmpty();
      assertThat(CacheFolder.of(fromYaml)).as(word).isEmpty();
    }
    assertThat(CacheFolder.of(TrainingConfig.of(REQUIRED))).isPresent();
  }

  @Test
  void defaultsAreThoseOfTrl() throws IOException {
    Map<String, String> trl = trlDefaults();
    // The differences that the product makes on purpose: what TRL leaves open is required here, an
    // output folder is never guessed. What an adapter of --adapter may decide is not set.
    Set<String> different =
        Set.of(
            "output_dir",
            "model",
            "lora_r",
            "lora_alpha",
            "lora_dropout",
            "bf16",
            "gradient_checkpointing",
            "save_total_limit");
    TrainingConfig.OPTIONS
        .options()
        .forEach(
            option -> {
              String theirs = trl.get(option.name());
              if (theirs != null && !different.contains(option.name())) {
                String ours = option.defaultText().orElse("none");
                assertThat(ours.equals(theirs) || number(ours) == number(theirs))
                    .as("%s: %s here, %s there", option.name(), ours, theirs)
                    .isTrue();
              }
            });
    TrainingConfig config = TrainingConfig.of(REQUIRED);
    assertThat(config.optimizer().learningRate()).isEqualTo(1e-6);
    assertThat(config.loss().beta()).isEqualTo(0.1);
    assertThat(config.data().maxLength()).isEqualTo(1024);
    assertThat(config.batching().perDeviceTrainBatchSize()).isEqualTo(8);
    assertThat(config.lora().rank()).isEqualTo(16);
    assertThat(config.lora().alpha()).isEqualTo(32);
    assertThat(config.lora().dropout()).isEqualTo(0.05);
    assertThat(config.schedule().numTrainEpochs()).isEqualTo(3);
    assertThat(config.output().loggingSteps().steps(74)).isEqualTo(10);
  }

  @Test
  void noOptionOfTrlIsUnknown() throws IOException {
    assertThat(TrainingOptions.names()).containsAll(trlDefaults().keySet());
  }

  /** A file that spells out TRL's defaults, as some tools write it, must run. */
  @Test
  void everyDefaultOfTrlIsTaken() throws IOException {
    Map<String, String> defaults = new LinkedHashMap<>(trlDefaults());
    defaults.values().removeIf(value -> value.equals("none") || value.isEmpty());
    defaults.putAll(REQUIRED);
    TrainingOptions options = TrainingOptions.resolve(Map.of(), given(defaults));

    assertThat(options.config())
        .isEqualTo(
            TrainingConfig.of(REQUIRED)
                .with("gradient_checkpointing", true)
                .with("lora_r", 16)
                .with("lora_alpha", 32)
                .with("lora_dropout", 0.05));
  }

  @Test
  void aTrlFileRunsAsItIsWithOneNoticeForEachOptionThatMeansNothingHere() throws IOException {
    TrainingOptions options =
        TrainingOptions.resolve(
            yaml(
                """
                model_name_or_path: m
                output_dir: o
                dataset_name: org/pairs
                dataset_num_proc: 4
                learning_rate: 5.0e-7
                adam_epsilon: 1e-7
                max_length: null
                eval_strategy: no
                loss_type: [sigmoid]
                report_to: [wandb, tensorboard]
                bf16: no
                gradient_checkpointing: true
                gradient_checkpointing_kwargs: {use_reentrant: false}
                save_strategy: "no"
                trust_remote_code: false
                optim: adamw_torch_fused
                deepspeed: null
                """),
            given(Map.of("data_file", "d.jsonl")));

    TrainingConfig config = options.config();
    assertThat(config.optimizer().learningRate()).isEqualTo(5e-7);
    assertThat(config.optimizer().adamEpsilon()).isEqualTo(1e-7);
    assertThat(config.data().maxLength()).isZero();
    assertThat(config.evaluation().evalStrategy()).isEqualTo(EvalStrategy.NO);
    // The others mean something here, are what happens here, or are null.
    assertThat(plain(options.notices()).stream().map(notice -> notice.split(" ")[0]))
        .containsExactly(
            "dataset_name", "dataset_num_proc", "report_to", "gradient_checkpointing_kwargs");
    assertThat(plain(options.notices()).get(0))
        .isEqualTo(
            "dataset_name org/pairs has no effect here: data_file names the data here and hub sets"
                + " are not fetched");
  }

  /** TRL's files name what is installed there; only TensorBoard has files here. */
  @Test
  void trackersThatGetNothingAreNoticedAndTensorBoardIsNot() throws IOException {
    assertReports("tensorboard", true);
    assertReports("TensorBoard", true);
    assertReports("[tensorboard]", true);
    assertReports("[none]", false);
    assertReports("[]", false);
    assertReports("null", false);
    assertReports("tensorboard,none", true);
    assertReports("all", false, "all");
    assertReports("trackio", false, "trackio");
    assertReports("[wandb, tensorboard, comet_ml]", true, "wandb", "comet_ml");
    assertReports("[mlflow, tensorboard]", true);
    assertReports("MLflow", false);
    assertReports("[wandb]", false, "wandb");
    assertThatThrownBy(() -> assertReports("tensorbord", false))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("report_to")
        .hasMessageContaining("did you mean tensorboard?");
  }

  private void assertReports(String value, boolean tensorBoard, String... noticed)
      throws IOException {
    String file = lines(REQUIRED) + "report_to: " + value + "\n";
    TrainingOptions options = TrainingOptions.resolve(yaml(file), Map.of());
    assertThat(options.config().output().tensorBoard()).as(value).isEqualTo(tensorBoard);
    assertThat(plain(options.notices()).stream().map(text -> text.replaceAll(" has no .*", "")))
        .as(value)
        .containsExactly(Stream.of(noticed).map("report_to %s"::formatted).toArray(String[]::new));
  }

  /** An item of a list is answered like the value alone. */
  @Test
  void anItemThatIsRefusedIsRefusedInAListToo() {
    assertThatThrownBy(
            () ->
                TrainingOptions.resolve(
                    yaml(lines(REQUIRED) + "loss_type: [sigmoid, kto_pair]\n"), Map.of()))
        .hasMessageContaining("run.yaml:4: loss_type kto_pair is refused: TRL removed this loss");
  }

  @Test
  void everyRefusedOptionIsNamedAtOnceWithItsReasonAndItsLine() {
    assertThatThrownBy(
            () ->
                TrainingOptions.resolve(
                    yaml("model: m\nbf16_full_eval: true\nload_in_4bit: yes\n"),
                    given(Map.of("loss_type", "kto_pair", "learning_rat", "1"))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("run.yaml:2: bf16_full_eval true is refused: evaluation computes as")
        .hasMessageContaining("run.yaml:3: load_in_4bit yes is refused: weights in 4 bits are not")
        .hasMessageContaining("loss_type kto_pair is refused: TRL removed this loss")
        .hasMessageContaining("learning_rat is no option here; did you mean learning_rate?");
  }

  @Test
  void everyLineOfTheTrlListGivesTheAnswerThatItStates() {
    for (TrlOptions.Row row : TrlOptions.load().rows()) {
      for (String name : row.names()) {
        String value = row.values().get(0).equals("*") ? "zzz" : row.values().get(0);
        Map<String, String> values = new HashMap<>(REQUIRED);
        values.remove(row.text().split(" ", 2)[0]);
        values.put(name, value);
        if (List.of("disable_dropout", "load_in_8bit").contains(name)) {
          values.put("use_peft", "true");
        }
        if (List.of("refused", "replaced", "each").contains(row.answer())) {
          assertThatThrownBy(() -> TrainingOptions.resolve(Map.of(), given(values)))
              .as(name)
              .isInstanceOf(UsageException.class)
              .hasMessageContaining(
                  row.answer().equals("each") ? name : "%s %s is refused: %s",
                  name,
                  value,
                  OptionText.plain(row.text()));
        } else if (row.answer().equals("same")) {
          assertThat(TrainingOptions.resolve(Map.of(), given(values)).notices()).as(name).isEmpty();
        } else if (row.answer().equals("accepted")) {
          assertThat(plain(TrainingOptions.resolve(Map.of(), given(values)).notices()))
              .as(name)
              .hasSize(1);
        } else if (!value.equals("zzz")) {
          TrainingConfig read = TrainingOptions.resolve(Map.of(), given(values)).config();
          List<String> renamed = TrlOptions.renamed(row, value);
          Map<String, String> same = new HashMap<>(REQUIRED);
          same.put(renamed.get(0), renamed.get(1));
          if (List.of("disable_dropout", "load_in_8bit").contains(name)) {
            same.put("use_peft", "true");
          }
          assertThat(read).as(name).isEqualTo(TrainingConfig.of(same));
        }
      }
    }
  }

  @Test
  void theFormatOfTheWeightsIsSaidTruly() throws IOException {
    String base = "model: m\noutput_dir: o\ndata_file: d\n";
    for (String key : List.of("dtype: ", "torch_dtype: ", "model_init_kwargs:\n  torch_dtype: ")) {
      TrainingOptions options = TrainingOptions.resolve(yaml(base + key + "bfloat16\n"), Map.of());
      assertThat(plain(options.notices()))
          .as(key)
          .singleElement()
          .asString()
          .contains("bfloat16 has no effect here: weights, gradients and optimizer are in float32");
    }
    assertThatThrownBy(
            () -> TrainingOptions.resolve(yaml(base + "model_init_kwargs: {rope: 1}\n"), Map.of()))
        .hasMessageContaining("run.yaml:4: model_init_kwargs rope is refused");
  }

  @Test
  void recomputedActivationsAreNotCalledKept() throws IOException {
    TrainingOptions options =
        TrainingOptions.resolve(
            yaml(
                """
                model: m
                output_dir: o
                data_file: d
                activation_checkpointing: true
                gradient_checkpointing_kwargs: {use_reentrant: false}
                """),
            Map.of());

    assertThat(options.config().engine().gradientCheckpointing()).isTrue();
    assertThat(plain(options.notices()))
        .containsExactly(
            "gradient_checkpointing_kwargs {use_reentrant: false} has no effect here: there is one"
                + " way to recompute activations, and it changes no number");
  }

  @Test
  void noClippingIsNotTheDefaultClipping() throws IOException {
    assertThat(
            TrainingOptions.resolve(
                    yaml("model: m\noutput_dir: o\ndata_file: d\nmax_grad_norm: null\n"), Map.of())
                .config()
                .optimizer()
                .maxGradNorm())
        .isZero();
  }

  @Test
  void labelSmoothingThatTrlIgnoresIsSaid() throws IOException {
    assertThat(
            plain(
                TrainingOptions.resolve(
                        yaml("model: m\noutput_dir: o\ndata_file: d\nlabel_smoothing: 0.1\n"),
                        Map.of())
                    .notices()))
        .containsExactly(
            "label_smoothing 0.1 makes loss_type sigmoid conservative DPO (cDPO) here; TRL"
                + " ignores it there");
  }

  @Test
  void aPathThatLiesBesideTheYamlFileIsNamed() throws IOException {
    Path examples = Files.createDirectory(folder.resolve("examples"));
    Files.createDirectory(examples.resolve("chat"));
    Files.writeString(
        examples.resolve("t.yaml"), "model: examples/chat\ndata_file: d\noutput_dir: o\n");

    assertThatThrownBy(
            () -> TrainingOptions.resolve(YamlOptions.read(examples.resolve("t.yaml")), Map.of()))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "%s:1: model examples/chat is not there: relative paths start at the current folder,"
                + " which is %s; run from %s, or write %s",
            examples.resolve("t.yaml"),
            Path.of("").toAbsolutePath(),
            folder,
            examples.resolve("chat"));
  }

  @Test
  void aFolderOfSeveralSplitsIsNotTrainedOnAsOne() throws IOException {
    Path set = Files.createDirectory(folder.resolve("set"));
    Files.writeString(set.resolve("train-00000.jsonl"), "");
    Files.writeString(set.resolve("test-00000.jsonl"), "");
    Map<String, String> values = new LinkedHashMap<>(REQUIRED);
    values.remove("data_file");
    values.put("dataset_name", set.toString());

    assertThatThrownBy(() -> TrainingOptions.resolve(Map.of(), given(values)))
        .hasMessageContaining(
            "holds several splits, such as test-00000.jsonl", "data_file '" + set + "/train*'");
  }

  @Test
  void flagsWinOverTheFileUnderAnyName() throws IOException {
    TrainingConfig config =
        TrainingOptions.resolve(
                yaml("model_name_or_path: org/hub\ndata_file: d\noutput_dir: o\nbf16: true\n"),
                given(Map.of("model", "local", "bf16", "false")))
            .config();

    assertThat(config.model().model()).isEqualTo(Path.of("local"));
  }

  @Test
  void theResolvedRunReadsBackAsTheSameConfiguration() throws IOException {
    Map<String, String> values = new LinkedHashMap<>(OTHER);
    values
        .keySet()
        .removeAll(
            Set.of(
                "adapter",
                "use_peft",
                "reference",
                "disable_dropout",
                "base_dtype",
                "warmup_ratio",
                "eval_split",
                "auto_find_batch_size",
                "desirable_weight",
                "undesirable_weight"));
    values.keySet().removeAll(OF_DEMONSTRATIONS);
    values.keySet().removeIf(name -> name.startsWith("lora_") || name.equals("use_rslora"));
    values.put("loss_type", "discopop,cpo,dpop,odpo,simpo,robust");
    values.put("loss_weights", "0.5,1,2,2.5,3,4");
    values.remove("f_divergence_type"); // has no meaning in dpop
    values.remove("f_alpha_divergence_coef");
    values.put("data_file", "weird: name #1 'x'.jsonl,with\\, comma.csv");
    Map<String, String> demonstrations = new LinkedHashMap<>(REQUIRED);
    OF_DEMONSTRATIONS.forEach(
        name -> demonstrations.put(name, Objects.requireNonNull(OTHER.get(name))));
    demonstrations.put("loss_type", "nll");
    for (Map<String, String> some : List.of(REQUIRED, values, demonstrations)) {
      TrainingConfig config = TrainingConfig.of(some);
      String text = YamlOptions.write(TrainingConfig.OPTIONS, config);

      assertThat(TrainingOptions.resolve(yaml(text), Map.of()).config()).as(text).isEqualTo(config);
      assertThat(TrainingOptions.resolve(yaml(text), Map.of()).notices()).isEmpty();
    }
  }

  @Test
  void requiredOptionsAreMissedAllAtOnce() {
    assertThatThrownBy(() -> TrainingConfig.of(Map.of("beta", 0.1)))
        .isInstanceOf(MissingOptionsException.class)
        .hasMessage("model, data_file, output_dir are required but missing");
  }

  @Test
  void aBadValueNamesOptionRuleAndValue() throws IOException {
    assertRefused("beta", "-1", "beta must be a number above 0 but was -1; 0.1 is usual");
    assertRefused("beta", "NaN", "beta must be a number but was NaN; the default is 0.1");
    assertRefused(
        "max_steps", "1.5", "max_steps must be a whole number but was 1.5; the default is -1");
    assertRefused(
        "eval_strategy",
        "often",
        "eval_strategy must be one of no, steps, epoch but was often; the default is no");
    assertRefused(
        "shuffle", "perhaps", "shuffle must be true or false but was perhaps; the default is true");
    assertRefused("model", "", "model must be a path but was empty");
    assertThatThrownBy(
            () ->
                TrainingOptions.resolve(
                    yaml("model: m\noutput_dir: o\ndata_file: d\nlearning_rate: -1\n"), Map.of()))
        .hasMessageStartingWith("%s:4: learning_rate must be", folder.resolve("run.yaml"));
  }

  @Test
  void combinationsThatContradictAreRefused() {
    assertRefused("eval_strategy", "epoch", "eval_file FILE");
    assertRefused("reference", "base", "needs adapter DIR");
    assertThatThrownBy(() -> config("auto_find_batch_size", "true", "loss_type", "kto"))
        .hasMessageContaining("losses that do not depend on the micro-batch but the loss is kto");
    assertRefused("reference", "none", "loss_type sigmoid needs one");
    assertThatThrownBy(() -> config("warmup_steps", "3", "warmup_ratio", "0.1"))
        .hasMessageContaining("pass one of them");
    assertThatThrownBy(() -> config("label_smoothing", "0.1", "loss_type", "ipo"))
        .hasMessageContaining("sigmoid_norm, simpo, cpo but the loss is ipo");
  }

  @Test
  void evaluationSetsAreNamedOnTheCommandLineOrInAMapping() throws IOException {
    TrainingConfig flags = config("eval_file", "short=a.jsonl,long=b.jsonl,long=c=d.csv");
    assertThat(flags.data().evaluationSets()).containsExactly("short", "long");
    assertThat(evaluating("eval_file:\n  short: a.jsonl\n  long: [b.jsonl, c=d.csv]\n"))
        .isEqualTo(flags.data());
    assertThat(evaluating("eval_file: [a.jsonl, b.jsonl]\n").evaluationSets()).containsExactly("");
    assertThat(config("eval_file", "./day=1/a.jsonl").data().evaluationSets()).containsExactly("");
    assertRefused("eval_file", "short=a.jsonl,b.jsonl", "b.jsonl has no name");
    assertRefused("eval_file", "sh ort=a.jsonl", "was sh ort=a.jsonl, which has another name");
    assertRefused("eval_file", "a=a.jsonl,long=", "was long=, which has no file");
    assertThat(
            config("eval_file", "a=x,b=y", "metric_for_best_model", "b_rewards/margins")
                .bestMetric())
        .isEqualTo(new BestMetric("b", "eval_b_rewards/margins", true));
    assertThatThrownBy(
            () ->
                config(
                    "eval_file",
                    "a=x,b=y",
                    "early_stopping_patience",
                    "2",
                    "eval_strategy",
                    "steps"))
        .hasMessage(
            "metric_for_best_model must be eval_SET_METRIC with the SET one of a, b and the METRIC"
                + " one of loss, entropy, mean_token_accuracy, rewards/chosen, rewards/rejected,"
                + " rewards/accuracies, rewards/margins, logps/chosen, logps/rejected,"
                + " logits/chosen, logits/rejected but was eval_loss, the default; did you mean"
                + " eval_a_loss?");
  }

  @ParameterizedTest
  @CsvSource({
    "a.jsonl,            reward/margins,      eval_rewards/margins",
    "a.jsonl,            eval_los,            eval_loss",
    "validation=a.jsonl, rewards/margins,     eval_validation_rewards/margins",
    "validation=a.jsonl, valdation_los,       eval_validation_loss",
    "validation=a.jsonl, eval_validaton_loss, eval_validation_loss"
  })
  void theMetricThatWasMeantIsNamed(String files, String metric, String meant) {
    assertThatThrownBy(() -> config("eval_file", files, "metric_for_best_model", metric))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("metric_for_best_model must be")
        .hasMessageEndingWith("but was %s; did you mean %s?", metric, meant);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"save_strategy=best", "early_stopping_patience=1", "load_best_model_at_end=true"})
  void whatIsMissingForTheBestEvaluationIsNamed(String option) {
    String[] parts = option.split("=");
    assertThatThrownBy(() -> config(parts[0], parts[1], "eval_file", "a.jsonl"))
        .hasMessageEndingWith("; pass eval_strategy steps");
    assertThatThrownBy(() -> config(parts[0], parts[1]))
        .hasMessageEndingWith("; pass eval_strategy steps and eval_file FILE or eval_split 0.1");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          {short: a.jsonl, long: }             | long has no value; write long: PATH, or leave long out
          {short: a.jsonl, long: ""}           | long has no value
          {short: a.jsonl, long: []}           | long has an empty list
          {short: [a.jsonl, ~]}                | short has no value
          {short: {path: a.jsonl}}             | short has a mapping
          {short: [a.jsonl, [b.jsonl]]}        | short has a list in a list
          """)
  void aNameOfAnEvaluationSetWithoutFilesIsNamed(String mapping, String found) {
    assertThatThrownBy(() -> evaluating("eval_file: " + mapping + "\n"))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith(
            "%s:4: eval_file must have a value, or a list of values, for each name but "
                .formatted(folder.resolve("run.yaml")))
        .hasMessageContaining(found);
    assertThatThrownBy(() -> config("eval_file", mapping)).hasMessageContaining(found);
  }

  @Test
  void bracesWithoutColonsAreAPatternAndEmptyOnesAreNothing() throws IOException {
    assertThat(evaluating("eval_file: '{a\\,b}'\n").evalFile()).contains(List.of(Path.of("{a,b}")));
    assertThat(evaluating("eval_file: {}\n").evalFile()).isEmpty();
    assertThat(evaluating("lora_rank_pattern: {}\n").evalFile()).isEmpty();
  }

  private TrainingConfig.Data evaluating(String line) throws IOException {
    return TrainingOptions.resolve(
            yaml("model: m\noutput_dir: o\ndata_file: d.jsonl\n" + line), Map.of())
        .config()
        .data();
  }

  @Test
  void yamlThatIsNoMappingOrHasAKeyTwiceIsRefusedWithItsLine() {
    assertThatThrownBy(() -> yaml("beta: 0.1\nbeta: 0.2\n"))
        .hasMessageContaining("run.yaml:2: beta is given twice in this file, first at");
    assertThatThrownBy(() -> yaml("- a\n- b\n")).hasMessageContaining("must be a mapping");
    assertThatThrownBy(() -> yaml("beta: [0.1\nx: ]: y\n"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("is not valid YAML");
    assertThatThrownBy(() -> YamlOptions.read(folder.resolve("none.yaml")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("none.yaml, which is not there");
  }

  @Test
  void warmupRoundsUpAsTransformersDoes() {
    assertThat(config("warmup_ratio", "0.1").schedule().warmup(74)).isEqualTo(8);
    assertThat(config("warmup_steps", "0.1").schedule().warmup(74)).isEqualTo(8);
    assertThat(config("warmup_steps", "2").schedule().warmup(74)).isEqualTo(2);
    assertThat(new StepInterval(0.25).steps(74)).isEqualTo(19);
  }

  @Test
  void oneOptionChangesAndTheRestStays() {
    TrainingConfig config = config("beta", "0.2");

    assertThat(config.with("learning_rate", 1e-5).optimizer().learningRate()).isEqualTo(1e-5);
    assertThat(config.with("learning_rate", 1e-5).with("learning_rate", 1e-6)).isEqualTo(config);
  }

  private void assertRefused(String option, String value, String message) {
    assertThatThrownBy(() -> config(option, value))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(message);
  }

  private static TrainingConfig config(String... options) {
    Map<String, String> values = new LinkedHashMap<>(REQUIRED);
    for (int i = 0; i < options.length; i += 2) {
      values.put(options[i], options[i + 1]);
    }
    return TrainingConfig.of(values);
  }

  private static Set<String> ownNames() {
    return TrainingConfig.OPTIONS.options().stream()
        .map(OptionSpec::name)
        .collect(Collectors.toSet());
  }

  private static Map<String, GivenValue> given(Map<String, String> values) {
    return values.entrySet().stream()
        .collect(
            Collectors.toMap(
                Map.Entry::getKey,
                entry -> GivenValue.of(entry.getValue()),
                (a, b) -> b,
                LinkedHashMap::new));
  }

  private static String lines(Map<String, String> values) {
    return values.entrySet().stream()
        .map(entry -> entry.getKey() + ": " + entry.getValue() + "\n")
        .collect(Collectors.joining());
  }

  private Map<String, GivenValue> yaml(String text) throws IOException {
    return YamlOptions.read(Files.writeString(folder.resolve("run.yaml"), text));
  }

  private static double number(String text) {
    try {
      return Double.parseDouble(text);
    } catch (NumberFormatException e) {
      return Double.NaN;
    }
  }

  /** Name to default of every field of TRL 1.16's DPO script. */
  private static Map<String, String> trlDefaults() throws IOException {
    try (InputStream stream =
        TrainingOptionsTest.class.getResourceAsStream("/trl/fields-1.16.tsv")) {
      String text =
          new String(Objects.requireNonNull(stream).readAllBytes(), StandardCharsets.UTF_8);
      return text.lines()
          .map(line -> line.split("\t", -1))
          .collect(Collectors.toMap(cells -> cells[0], cells -> cells[1]));
    }
  }

  @Test
  void aDatasetNameThatIsThereIsTheDataFile() throws IOException {
    Path set = Files.createDirectory(folder.resolve("set"));
    Map<String, String> values = new LinkedHashMap<>(REQUIRED);
    values.remove("data_file");
    values.put("dataset_name", set.toString());
    values.put("test_split_size", "0.1");
    TrainingConfig config = TrainingOptions.resolve(Map.of(), given(values)).config();
    assertThat(config.data().dataFile()).containsExactly(set);
    assertThat(config.data().evalSplit()).contains(0.1);
  }

  private static List<String> plain(List<String> texts) {
    return texts.stream().map(OptionText::plain).toList();
  }
}
