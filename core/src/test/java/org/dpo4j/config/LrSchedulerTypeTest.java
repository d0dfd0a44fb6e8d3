package org.dpo4j.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.dpo4j.OptionText;
import org.dpo4j.UsageException;
import org.dpo4j.optim.LearningRateSchedule;
import org.dpo4j.options.GivenValue;
import org.dpo4j.options.OptionType;
import org.dpo4j.options.YamlOptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Closes: a learning rate that differs from transformers', settings that are taken here and fail
 * there, and messages that do not say which setting is wrong. Rates and refusals are made by
 * src/test/python/record_schedules.py with transformers 5.23.
 */
class LrSchedulerTypeTest {
  private static final JsonNode FIXTURE =
      JsonMapper.shared().readTree(Path.of("src/test/resources/fixtures/schedules.json"));

  static Stream<JsonNode> cases() {
    return FIXTURE.get("cases").valueStream();
  }

  static Stream<JsonNode> refused() {
    return FIXTURE.get("refused").valueStream();
  }

  private static Map<String, Object> options(JsonNode entry) {
    Map<String, Object> options = new HashMap<>(required());
    options.put("lr_scheduler_type", entry.get("type").stringValue());
    options.put("lr_scheduler_kwargs", entry.get("kwargs").toString());
    options.put("learning_rate", entry.get("peak").doubleValue());
    return options;
  }

  private static Map<String, String> required() {
    return Map.of("model", "m", "data_file", "d.jsonl", "output_dir", "o");
  }

  @ParameterizedTest
  @MethodSource("cases")
  void everyStepHasTheLearningRateOfTransformers(JsonNode entry) {
    Map<String, Object> options = options(entry);
    options.put("warmup_steps", entry.get("warmup").intValue());
    LearningRateSchedule schedule =
        TrainingConfig.of(options).learningRate(entry.get("total").intValue());

    JsonNode rates = entry.get("rates");
    for (int step = 0; step < rates.size(); step++) {
      double expected = rates.get(step).doubleValue();
      assertThat(schedule.at(step))
          .as("step %d", step)
          .isCloseTo(expected, within(1e-12 * expected));
    }
  }

  @ParameterizedTest
  @MethodSource("refused")
  void whatFailsInTransformersIsRefusedAtTheStart(JsonNode entry) {
    assertThatThrownBy(() -> TrainingConfig.of(options(entry)))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith("lr_scheduler_kwargs ");
  }

  @Test
  void everyScheduleIsCompared() {
    Set<String> compared = new TreeSet<>();
    cases().forEach(entry -> compared.add(entry.get("type").stringValue()));
    assertThat(compared)
        .containsExactlyInAnyOrderElementsOf(
            Arrays.stream(LrSchedulerType.values()).map(OptionType::text).toList());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          cosine              | {"num_cycle": 2}         | must be settings of lr_scheduler_type cosine: num_cycles but has num_cycle; did you mean num_cycles?
          cosine              | {"min_lr": 1e-7}         | but has min_lr; it is a setting of cosine_with_min_lr, cosine_warmup_with_min_lr
          linear              | {"power": 2}             | must be left out with lr_scheduler_type linear but has power; it is a setting of polynomial
          linear              | [1]                      | must be a JSON object, as in {"name": 1}, or a mapping in YAML but was [1]
          linear              | power                    | must be a JSON object, as in {"name": 1}, or a mapping in YAML but was power
          cosine              | {"num_cycles": "many"}   | must have a number from 0 as num_cycles but was many
          cosine              | {"num_cycles": -1}       | must have a number from 0 as num_cycles but was -1
          cosine              | {"num_cycles": 1e400}    | must have a number from 0 as num_cycles but was Infinity
          cosine              | {"num_cycles": true}     | must have a number from 0 as num_cycles but was true
          cosine              | {"num_cycles": {"a": 1}} | must have a number from 0 as num_cycles but was {"a": 1}
          inverse_sqrt        | {"timescale": 0}         | must have a number above 0 as timescale but was 0
          polynomial          | {"lr_end": 1}            | must have lr_end below learning_rate, which is 1e-6 but was 1; pass {"lr_end": 0}
          cosine_with_min_lr  | {}                       | must have min_lr or min_lr_rate with lr_scheduler_type cosine_with_min_lr but was not given; pass for example {"min_lr_rate": 0.1}
          cosine_with_min_lr  | {"min_lr": 0, "min_lr_rate": 0} | must have min_lr or min_lr_rate but has both; leave out one of them
          warmup_stable_decay | {"num_stable_steps": 5}  | must have num_decay_steps with lr_scheduler_type warmup_stable_decay but has num_stable_steps
          warmup_stable_decay | {"num_decay_steps": 0.5} | must have a whole number of steps from 0 as num_decay_steps but was 0.5
          warmup_stable_decay | {"num_decay_steps": 5, "warmup_type": "Linear"} | as warmup_type but was Linear; did you mean linear?
          warmup_stable_decay | {"num_decay_steps": 3000000000} | must have a whole number of steps from 0 as num_decay_steps but was 3000000000
          warmup_stable_decay | {"num_decay_steps": 5, "decay_type": "sqrt"} | must have one of linear, cosine, 1-sqrt as decay_type but was sqrt
          """)
  void aMessageNamesTheSettingAndWhatToDo(String type, String settings, String message) {
    Map<String, Object> options = new HashMap<>(required());
    options.put("lr_scheduler_type", type);
    options.put("lr_scheduler_kwargs", settings);
    assertThatThrownBy(() -> TrainingConfig.of(options))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith("lr_scheduler_kwargs ")
        .hasMessageContaining(message);
  }

  @Test
  void aMappingInYamlIsReadAndAListInItIsNoNumber(@TempDir Path folder) throws IOException {
    Path file = folder.resolve("run.yaml");
    String base = "model: m\ndata_file: d.jsonl\noutput_dir: o\nlr_scheduler_type: ";
    Files.writeString(
        file,
        base
            + "warmup_stable_decay\nlr_scheduler_kwargs:\n  num_decay_steps: 1_0\n"
            + "  decay_type: 1-sqrt\n");
    TrainingConfig config = TrainingOptions.resolve(YamlOptions.read(file), Map.of()).config();
    assertThat(config.schedule().lrSchedulerKwargs())
        .contains(Map.of("num_decay_steps", 10L, "decay_type", "1-sqrt"));
    Files.writeString(file, YamlOptions.write(TrainingConfig.OPTIONS, config));
    assertThat(TrainingOptions.resolve(YamlOptions.read(file), Map.of()).config())
        .isEqualTo(config);

    Files.writeString(
        file, base + "cosine_with_min_lr\nlr_scheduler_kwargs:\n  min_lr: [1e-5, 1e-6]\n");
    assertThatThrownBy(() -> TrainingOptions.resolve(YamlOptions.read(file), Map.of()))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(
            "run.yaml:5: lr_scheduler_kwargs must have a number from 0 as min_lr but was 1e-5,1e-6");
  }

  @Test
  void settingsThatAreNotSetAreNotThere() {
    TrainingConfig config = TrainingConfig.of(required());
    for (String unset : Set.of("{}", "null", "{min_lr: null}")) {
      assertThat(config.with("lr_scheduler_kwargs", unset)).isEqualTo(config);
    }
    assertThat(
            config
                .with("learning_rate", 1e-3)
                .with("lr_scheduler_type", "cosine")
                .with("lr_scheduler_kwargs", "{num_cycles: 2.0}"))
        .isEqualTo(
            config
                .with("learning_rate", 1e-3)
                .with("lr_scheduler_type", "cosine")
                .with("lr_scheduler_kwargs", Map.of("num_cycles", 2)));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          constant           | {"num_cycles": 2}    | lr_scheduler_kwargs has no effect with lr_scheduler_type constant
          cosine_with_min_lr | {"min_lr": 0.1}      | lr_scheduler_kwargs: min_lr 0.1 is above the peak, and the learning rate rises to it
          cosine_with_min_lr | {"min_lr_rate": 1.5} | lr_scheduler_kwargs: min_lr_rate 1.5 is above the peak, and the learning rate rises to it
          cosine_with_min_lr | {"min_lr_rate": 0.1} |
          constant           | {}                   |
          """)
  void whatMayNotBeMeantIsNoticed(String type, String settings, String notice) {
    Map<String, GivenValue> flags = new HashMap<>();
    required().forEach((name, value) -> flags.put(name, GivenValue.of(value)));
    flags.put("lr_scheduler_type", GivenValue.of(type));
    flags.put("lr_scheduler_kwargs", GivenValue.of(settings));
    assertThat(TrainingOptions.resolve(Map.of(), flags).notices())
        .extracting(OptionText::plain)
        .isEqualTo(notice == null ? List.of() : List.of(notice));
  }
}
