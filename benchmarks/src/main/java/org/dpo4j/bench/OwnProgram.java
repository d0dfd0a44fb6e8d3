package org.dpo4j.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Whole runs of {@code dpo4j train}, as a user starts them. */
final class OwnProgram {

  private final Path launcher;
  private final Path work;
  private final int threads;

  OwnProgram(Path launcher, Path work, int threads) {
    this.launcher = launcher.toAbsolutePath();
    this.work = work;
    this.threads = threads;
  }

  /** One run; what it wrote is read and removed. */
  Measurement train(Workload load, boolean bf16) throws IOException, Tool.Refused {
    return train(load, bf16, List.of("--reference_cache", "off"));
  }

  /** The same with further options. */
  Measurement train(Workload load, boolean bf16, List<String> more)
      throws IOException, Tool.Refused {
    Path output = work.resolve("own");
    remove(output);
    List<String> command = new ArrayList<>(List.of(launcher.toString(), "train"));
    command.addAll(options(load, bf16));
    command.addAll(List.of("--output_dir", output.toString()));
    command.addAll(List.of("--log_format", "dict")); // TRL's lines, to compare by hand
    command.addAll(more);
    Tool.run(command, work.resolve("own-%s.log".formatted(Case.type(bf16))));
    Measurement measured = read(output);
    remove(output);
    return measured;
  }

  /** What {@code dpo4j plan} says of such a run before it. */
  Prediction plan(Workload load, boolean bf16) throws IOException, Tool.Refused {
    Path figures = work.resolve("plan.json");
    List<String> command = new ArrayList<>(List.of(launcher.toString(), "plan"));
    command.addAll(options(load, bf16));
    command.addAll(List.of("--output", figures.toString()));
    Tool.run(command, work.resolve("plan.log"));
    JsonNode json = json(figures);
    return new Prediction(
        json.get("memory_bytes").asLong(), json.path("step_seconds").asDouble(Double.NaN));
  }

  /** The options that make a run comparable with the peer's, all but the folder that it writes. */
  List<String> options(Workload load, boolean bf16) {
    List<String> options =
        new ArrayList<>(
            List.of(
                "--model",
                load.model().toString(),
                "--data_file",
                load.data().toString(),
                "--per_device_train_batch_size",
                load.pairs() + "",
                "--max_steps",
                load.steps() + "",
                "--max_length",
                Workload.MAX_LENGTH + "",
                "--learning_rate",
                Workload.LEARNING_RATE,
                "--lr_scheduler_type",
                "constant",
                "--beta",
                "0.1",
                "--shuffle",
                "false",
                "--logging_steps",
                "1",
                "--sample_prompts",
                "0", // the peer answers none
                "--threads",
                threads + "",
                "--seed",
                "0"));
    if (bf16) {
      options.addAll(List.of("--bf16", "true"));
    }
    if (load.lora()) {
      options.addAll(
          List.of(
              "--use_peft",
              "--lora_r",
              load.loraRank() + "",
              "--lora_alpha",
              2 * load.loraRank() + "",
              "--lora_dropout",
              "0",
              "--lora_target_modules",
              "q_proj,v_proj"));
    }
    return options;
  }

  private static Measurement read(Path output) throws IOException {
    List<Double> steps = new ArrayList<>();
    List<Double> compute = new ArrayList<>();
    List<Double> losses = new ArrayList<>();
    for (JsonNode entry : json(output.resolve("trainer_state.json")).get("log_history")) {
      if (entry.has("loss")) {
        steps.add(entry.get("step_time").asDouble());
        compute.add(entry.get("step_compute_time").asDouble());
        losses.add(entry.get("loss").asDouble());
      }
    }
    JsonNode results = json(output.resolve("train_results.json"));
    return new Measurement(
        steps,
        compute,
        losses,
        results.path("peak_memory_bytes").asLong(0),
        results.get("reference_runtime").asDouble());
  }

  private static JsonNode json(Path file) throws IOException {
    return JsonMapper.shared().readTree(Files.readString(file));
  }

  static void remove(Path folder) throws IOException {
    if (Files.exists(folder)) {
      try (Stream<Path> files = Files.walk(folder)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }
}
