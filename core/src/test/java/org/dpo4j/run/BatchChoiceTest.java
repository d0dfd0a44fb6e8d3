package org.dpo4j.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.dpo4j.run.RunFixture.fixture;
import static org.dpo4j.run.RunFixture.output;
import static org.dpo4j.run.RunFixture.text;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dpo4j.TrainingResult;
import org.dpo4j.UsageException;
import org.dpo4j.checkpoint.DiskSpace;
import org.dpo4j.config.PlanConfig;
import org.dpo4j.config.TrainingConfig;
import org.dpo4j.options.GivenValue;
import org.dpo4j.options.MemorySize;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closes: a chosen micro-batch that changes what is learned, or differs from what plan says. */
class BatchChoiceTest {
  private static final Pattern NEEDS = Pattern.compile("a step needs (\\S+ .B) of ");
  private static final long PLENTY = 1L << 40;

  private final Path folder;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  BatchChoiceTest(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void theLargestMicroBatchThatFitsIsTakenAndStepsStayTheSame() throws IOException {
    TrainingResult whole = train("whole", PLENTY, Map.of());
    assertThat(text(out)).contains("micro-batch: 8 of at most 8; a step needs ");
    long most = needed();
    out.reset();
    TrainingResult parts = train("parts", most - 1_000_000, Map.of());
    assertThat(text(out)).containsPattern("micro-batch: [124] of at most 8; a step needs ");
    assertThat(needed()).isLessThan(most);
    String options = Files.readString(folder.resolve("parts/dpo4j.yaml"));
    Matcher micro = Pattern.compile("per_device_train_batch_size: (\\d)").matcher(options);
    Matcher accumulation = Pattern.compile("gradient_accumulation_steps: (\\d)").matcher(options);
    assertThat(micro.find() && accumulation.find()).isTrue();
    assertThat(Integer.parseInt(micro.group(1)) * Integer.parseInt(accumulation.group(1)))
        .isEqualTo(8);
    for (int i = 0; i < 3; i++) {
      assertThat(parts.reports().get(i).metrics().loss())
          .isCloseTo(whole.reports().get(i).metrics().loss(), within(1e-5));
    }
  }

  @Test
  void aContinuedRunKeepsItsMicroBatch() throws IOException {
    train("first", PLENTY, Map.of());
    long most = needed();
    TrainingResult whole = train("whole", most - 1_000_000, Map.of("save_steps", 1));
    out.reset();
    TrainingResult rest =
        train(
            "rest",
            PLENTY,
            Map.of("resume_from_checkpoint", folder.resolve("whole/checkpoint-2").toString()));
    assertThat(rest.steps()).isEqualTo(3);
    assertThat(folder.resolve("rest/model.safetensors"))
        .hasBinaryContent(Files.readAllBytes(folder.resolve("whole/model.safetensors")));
    assertThat(whole.steps()).isEqualTo(3);
  }

  @Test
  void planNamesTheSameMemory() {
    train("run", PLENTY, Map.of());
    long needed = needed();
    out.reset();
    Map<String, GivenValue> given = new HashMap<>();
    options("planned", Map.of("trial", false))
        .forEach((name, value) -> given.put(name, new GivenValue(value.toString(), "")));
    PlanRun.run(PlanConfig.resolve(Map.of(), given, notice -> {}), output(out));
    assertThat(text(out)).contains("memory, at most " + MemorySize.text(needed) + ":");
  }

  @Test
  void aRunThatFitsInNoMicroBatchIsRefusedBeforeTheFirstStep() {
    assertThatThrownBy(() -> train("none", 1_000_000, Map.of()))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("needs a micro-batch that fits into 1 MB but even one of 1 needs ");
    assertThat(folder.resolve("none/model.safetensors")).doesNotExist();
    assertThatThrownBy(() -> train("autograd", PLENTY, Map.of("engine", "autograd")))
        .hasMessageContaining("autograd computes this run");
  }

  @Test
  void theLossOfRoutersDependsOnTheMicroBatch() throws IOException {
    Map<String, Object> mixtral =
        Map.of(
            "model",
            RunFixture.family("mixtral", folder),
            "data_file",
            fixture("family_trajectories/pairs.jsonl"),
            "max_length",
            128);
    assertThatThrownBy(() -> train("routers", PLENTY, mixtral))
        .hasMessageContaining("auto_find_batch_size works with losses that do not depend on the")
        .hasMessageContaining("the loss of the model's routers does");
  }

  private long needed() {
    Matcher needs = NEEDS.matcher(text(out));
    assertThat(needs.find()).isTrue();
    return MemorySize.parse(needs.group(1).replace(" ", ""));
  }

  private Map<String, Object> options(String target, Map<String, Object> more) {
    Map<String, Object> options = new HashMap<>();
    options.put("model", fixture("models/llama"));
    options.put("data_file", fixture("pairs32.jsonl"));
    options.put("output_dir", folder.resolve(target));
    options.put("loss_type", "sigmoid");
    options.put("auto_find_batch_size", true);
    options.put("max_steps", 3);
    options.put("logging_steps", 1);
    options.put("max_length", 0);
    options.put("threads", 1);
    options.putAll(more);
    return options;
  }

  private TrainingResult train(String target, long memory, Map<String, Object> more) {
    return TrainingRun.run(
        TrainingConfig.of(options(target, more)), output(out), DiskSpace.OF_MACHINE, memory);
  }
}
